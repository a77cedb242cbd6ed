"""One of the concurrent committers of W6: 25 appends of 100 rows.

python committer.py IMPLEMENTATION WAREHOUSE NUMBER
"""

import pathlib
import sys

import data


def main(implementation: str, warehouse: str, number: int) -> None:
    for commit in range(25):
        rows = data.narrow((number * 25 + commit) * 100, 100)
        if implementation == "pypaimon-rust":
            import pypaimon_rust.datafusion as rust

            table = rust.PaimonCatalog({"warehouse": warehouse}).get_table(f"{data.DATABASE}.t")
            builder = table.new_batch_write_builder()
            write = builder.new_write()
            for batch in rows.to_batches():
                write.write_arrow(batch)
            builder.new_commit().commit(write.prepare_commit())
            continue
        import pypaimon

        table = pypaimon.CatalogFactory.create({"warehouse": warehouse}).get_table(f"{data.DATABASE}.t")
        builder = table.new_batch_write_builder()
        write, commit_ = builder.new_write(), builder.new_commit()
        write.write_arrow(rows)
        commit_.commit(write.prepare_commit())
        write.close()
        commit_.close()


if __name__ == "__main__":
    main(sys.argv[1], str(pathlib.Path(sys.argv[2])), int(sys.argv[3]))
