"""A process that answers questions about tables, however it may end."""

import json
import pathlib
import select
import subprocess
import time


class Reader:
    """Runs `worker.py`, and starts it anew when it ends or does not answer."""

    def __init__(self, python: str):
        self.python = python
        self.process = None

    def ask(self, request: dict) -> dict:
        """Its answer; without one how it died, and `None` when it is not dead but silent."""
        if self.process is None:
            command = [self.python, str(pathlib.Path(__file__).parent / "worker.py")]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        started = time.monotonic()
        print(json.dumps(request), file=self.process.stdin, flush=True)
        # The first answer waits for imports as well.
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        seconds = time.monotonic() - started
        line = self.process.stdout.readline() if ready else ""
        if line:
            return {**json.loads(line), "seconds": seconds}
        self.process.kill()
        _, text = self.process.communicate()
        code, self.process = self.process.returncode, None
        return {"died": code if ready else None, "error": text[-2000:], "seconds": seconds}

    def close(self):
        if self.process is not None:
            self.process.stdin.close()
            self.process.wait()
