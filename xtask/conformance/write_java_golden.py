"""Writes the golden tables that come from Java Paimon, with the rows that Java reads back.

Run by hand, with a JDK and Maven; the result is committed:

    mvn -q -B -f xtask/conformance/java package
    python xtask/conformance/write_java_golden.py target/java-driver/driver.jar [name...]
"""

import pathlib
import sys
import tempfile

import java_append
import java_keyed
import java_tracking
from golden import write_case
from java_driver import Driver, Table


def main():
    jar, *chosen = sys.argv[1:]
    drivers = {}
    named = [(make.__name__, make) for make in java_append.TABLES]
    named += [(f"keyed_{make.__name__}", make) for make in java_keyed.TABLES]
    named += [(f"tracked_{make.__name__}", make) for make in java_tracking.TABLES]
    for name, make in named:
        name = name.replace("_", "-")
        if chosen and name not in chosen:
            continue
        zone = java_append.ZONES.get(make, "UTC")
        if zone not in drivers:
            drivers[zone] = Driver(pathlib.Path(jar), zone)
        driver = drivers[zone]
        version = driver.ask("version")["version"]
        with tempfile.TemporaryDirectory() as warehouse:
            table = Table(driver, pathlib.Path(warehouse), "golden.t")
            reads = make(table)
            writer = f"Apache Paimon for Java {version}" + ("" if zone == "UTC" else f" in {zone}")
            rows = table.rows()
            if make in java_keyed.TWINS:
                rows = java_keyed.twin(table).rows()
                writer += ", which reads a twin without deletion vectors"
            about = {"unordered": java_keyed.UNORDERED.get(make), "unsupported": java_keyed.UNSUPPORTED.get(make)}
            write_case(f"java-{version}-{name}", writer, table.folder, rows, reads, table.commits, **about)
    for driver in drivers.values():
        driver.close()


if __name__ == "__main__":
    main()
