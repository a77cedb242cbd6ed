"""Golden tables with a primary key, made by Java Paimon: each merge engine and option, levels, and kinds of keys.

A function of this package fills one table and gives the reads beyond that of the newest snapshot;
`write_java_golden.py` runs it. Tables are write-only unless they say otherwise, so that their levels are those that the
function makes.
"""

from java_keyed import aggregation, deduplicate, files, keys, partial_update, states
from java_keyed.tables import twin as twin

TABLES = (
    *deduplicate.TABLES,
    *keys.TABLES,
    *partial_update.TABLES,
    *aggregation.TABLES,
    *files.TABLES,
    *states.TABLES,
)

# Columns of arrays whose order Java leaves to a hash map: by position, their names.
UNORDERED = {
    aggregation.aggregation_collections: {2: "once"},
    aggregation.aggregation_nested: {3: "by_key", 4: "by_keys", 5: "partly"},
}

# Tables whose rows are those of their twin.
TWINS = {files.deletions_merged, files.deletions_v2_merged}

# Tables whose latest rows we do not read, and the error that says so.
UNSUPPORTED = {aggregation.aggregation_hll: "HyperLogLog"}
