"""What is done with a table before it is read: other ways to meet what is damaged."""

import random
import uuid

import corruptions
import tables
from pypaimon._native import NativeCommitMessage, NativeCompactTask


def upsert(table) -> None:
    """Writes rows, some of keys that are there."""
    tables.append(table, tables.versions(tables.KEYED_COMMITS))


def compact(table) -> None:
    table.compact(full=True)


def compact_some(table) -> None:
    """As much as the table's options find worth it."""
    table.compact()


def carried(table, kind: str, seed: int) -> None:
    """A full compaction, of which a task or what a task made is damaged on its way."""
    dice = random.Random(seed)
    native = table.native
    plan = native.plan_compaction(full=True)
    tasks = [task.to_bytes() for task in plan.tasks]
    if kind == "task":
        damage(dice, tasks)
    made = [NativeCompactTask.from_bytes(task).run(native) for task in tasks]
    if kind == "message":
        made = carried_messages(dice, made)
    done = plan.commit(made, user=uuid.uuid4().hex, identity=native.identity())
    if done.gave_way:  # one stood for another
        compact(table)


def carried_messages(dice: random.Random, made: list[list]) -> list[list]:
    parcels = [message.to_bytes() for of_task in made for message in of_task]
    damage(dice, parcels)
    messages = map(NativeCommitMessage.from_bytes, parcels)
    return [[next(messages) for _ in of_task] for of_task in made]


def damage(dice: random.Random, parcels: list[bytes]) -> None:
    """Damages one of several parcels, or puts another one in its place."""
    place = dice.randrange(len(parcels))
    ways = [each for each in corruptions.ALL if each is not corruptions.gone]
    parcels[place] = dice.choice(ways)(dice, parcels[place], dice.choice(parcels))


ROUTES = {"upsert": upsert, "compact": compact, "compact-some": compact_some}
