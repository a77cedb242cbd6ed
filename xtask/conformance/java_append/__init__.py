"""Golden tables without a primary key, made by Java Paimon.

A function of this package fills one table and gives the reads beyond that of the newest snapshot;
`write_java_golden.py` runs it.
"""

from java_append import branches, indexes, layouts, types
from java_append.types import ZONES as ZONES

TABLES = (*indexes.TABLES, *types.TABLES, *layouts.TABLES, *branches.TABLES)
