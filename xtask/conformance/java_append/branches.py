"""Append tables with branches."""

from java_values import at, between, key_reads


def branches(table):
    """Tags, branches that went their own way with a schema of their own, a rollback and a fast-forward."""
    table.create({"k": "BIGINT", "v": "STRING"})
    table.write([0, "a"], [1, "b"])
    table.ask("tag", name="first")
    table.write([2, "c"])
    table.ask("tag", name="second", snapshot=2)
    table.ask("branch", name="dev", tag="first")
    table.ask("branch", name="empty")
    dev = table.on_branch("dev")
    dev.write([10, "dev"])
    dev.alter({"change": "add", "name": "w", "type": "INT"})
    dev.write([11, "dev", 5])
    table.write([3, "d"], overwrite=True)
    table.write([4, "e"])
    table.ask("rollback", snapshot=3)
    table.write([5, "f"])
    table.on_branch("empty").write([20, "alone"])
    reads = [at(tag="first"), at(tag="second"), {"branch": "dev"}, {"branch": "empty"}, at(snapshot=1)]
    reads += [{"branch": "dev", "filter": [">", "k", 0]}, {"branch": "dev", **between(1, 3)}]
    reads += [at(snapshot=4), between(0, 4), between(1, 2), between("first", "second")]
    return key_reads(table, reads)


def fast_forwarded(table):
    """A branch that became the table."""
    table.create({"k": "BIGINT", "v": "STRING"})
    table.write([0, "a"])
    table.ask("tag", name="base")
    table.ask("branch", name="dev", tag="base")
    table.write([1, "lost"])
    dev = table.on_branch("dev")
    dev.write([10, "dev"])
    dev.write([11, "dev"])
    table.ask("fast_forward", name="dev")
    table.write([2, "after"])
    return key_reads(table, [at(tag="base"), {"branch": "dev"}, at(snapshot=2)])


TABLES = (branches, fast_forwarded)
