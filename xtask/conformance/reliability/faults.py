"""A proxy on the loopback device that loses requests and answers of HTTP, by chance and repeatably.

What may happen to a request, with a chance for each:

* ``busy``: the answer is 503, and nothing is done;
* ``reset_before``: the connection is reset, and nothing is done;
* ``reset_after``: it is done, and the connection is reset before the answer;
* ``truncated``: it is done, and the connection is reset in the middle of the answer's body.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections import Counter

_BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class FaultProxy:
    """Stands before ``upstream``, a port of this machine, while it is entered.

    Args:
        upstream: The port to pass requests on to.
        chances: Name of a fault -> its chance, from 0 to 1.
        seed: Of the chances.
    """

    def __init__(self, upstream: int, chances: dict[str, float], seed: int) -> None:
        self._upstream = upstream
        self._chances = chances
        self._random = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0
        self.counts: Counter[str] = Counter()

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self.port = server.result().sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _hang_up(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _fault(self) -> str:
        self.counts["requests"] += 1
        point = self._random.random()
        for name, chance in self._chances.items():
            if point < chance:
                return name
            point -= chance
        return "none"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (message := await _message(reader)) is not None:
                if not await self._answer(*message, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answers one request. Returns whether the connection lives on."""
        fault = self._fault()
        if fault == "reset_before":
            return self._reset(fault, writer)
        if fault == "busy":
            self.counts[fault] += 1
            writer.write(b"HTTP/1.1 503 Slow Down\r\ncontent-length: %d\r\n\r\n%b" % (len(_BUSY), _BUSY))
            await writer.drain()
            return True
        answer, content = await self._pass_on(head, body)
        if fault == "reset_after":
            return self._reset(fault, writer)
        writer.write(answer)
        if fault == "truncated" and content:
            writer.write(content[: len(content) // 2])
            await writer.drain()
            return self._reset(fault, writer)
        writer.write(content)
        await writer.drain()
        return True

    async def _pass_on(self, head: bytes, body: bytes) -> tuple[bytes, bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        try:
            line, *headers = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
            headers = [header for header in headers if not header.lower().startswith(b"connection:")]
            writer.write(b"\r\n".join([line, *headers, b"connection: close", b"", b""]) + body)
            answer, _, content = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        line, *headers = answer.split(b"\r\n")
        kept = [header for header in headers if not header.lower().startswith(b"connection:")]
        if not any(header.lower().startswith(b"content-length:") for header in kept):
            kept.append(b"content-length: %d" % len(content))
        return b"\r\n".join([line.replace(b"HTTP/1.0", b"HTTP/1.1"), *kept, b"", b""]), content

    def _reset(self, fault: str, writer: asyncio.StreamWriter) -> bool:
        self.counts[fault] += 1
        # Closing without lingering is what sends a reset.
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()
        return False


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes] | None:
    """The next request, head and body; ``None`` at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    for header in head.split(b"\r\n")[1:]:
        name, _, value = header.partition(b":")
        if name.strip().lower() == b"content-length":
            return head, await reader.readexactly(int(value))
    return head, b""
