"""What happens to a file: each takes the dice, the bytes, and the bytes of another file; `None`: the file is gone."""

import random


def span(dice: random.Random, data: bytes, most: int) -> tuple[int, int]:
    start = dice.randrange(len(data))
    return start, min(len(data), start + dice.randint(1, most))


def put(data: bytes, start: int, part: bytes) -> bytes:
    return (data[:start] + part + data[start + len(part) :])[: len(data)]


def flip(dice, data, _):
    damaged = bytearray(data)
    for _ in range(dice.choice([1, 1, 1, 2, 8])):
        damaged[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def ones(dice, data, _):
    start, end = span(dice, data, 64)
    return put(data, start, b"\xff" * (end - start))


def zeros(dice, data, _):
    start, end = span(dice, data, 256)
    return put(data, start, bytes(end - start))


def noise(dice, data, _):
    start, end = span(dice, data, 64)
    return put(data, start, dice.randbytes(end - start))


def truncate(dice, data, _):
    return data[: dice.choice([0, dice.randrange(len(data)), len(data) - 1])]


def swap(dice, data, _):
    length = dice.randint(1, max(1, len(data) // 4))
    first, second = sorted(dice.randrange(max(1, len(data) - length)) for _ in range(2))
    return put(put(data, first, data[second : second + length]), second, data[first : first + length])


def cut(dice, data, _):
    start, end = span(dice, data, 64)
    return data[:start] + data[end:]


def repeat(dice, data, _):
    start, end = span(dice, data, 64)
    return data[:end] + data[start:end] + data[end:]


def extend(dice, data, _):
    return data + dice.randbytes(dice.randint(1, 100))


def length(dice, data, _):
    """A large number in one of the spellings of formats, where another number may be."""
    value = dice.choice([2**31 - 1, 2**31, 2**30, 2**28, 2**62, 2**63 - 1, 2**16])
    digits, rest = bytearray(), value
    while rest >= 0x80:
        digits.append(rest & 0x7F | 0x80)
        rest >>= 7
    digits.append(rest)
    little = (value % 2**64).to_bytes(8, "little")
    spelling = dice.choice([bytes(digits), little[:4], little[:4][::-1], little, little[::-1]])
    return put(data, dice.randrange(len(data)), spelling)


def gone(_dice, _data, _):
    return None


def other(_dice, _data, another):
    return another


ALL = [flip, flip, flip, ones, zeros, noise, truncate, swap, cut, repeat, extend, length, length, gone, other]
