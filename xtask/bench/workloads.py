"""Workloads: the same work through each implementation, and the floor of it.

A workload gives a function for each implementation that can do it; `setup` is not timed. Answers are compared by the
number of rows (and by a sum where one is cheap), so that speed is never that of a wrong answer.
"""

from compacting import COMPACTING
from keyed import KEYED
from reads import READS
from tracked import TRACKED
from writes import WRITES

WORKLOADS = {workload.name: workload for workload in READS + WRITES + KEYED + COMPACTING + TRACKED}
