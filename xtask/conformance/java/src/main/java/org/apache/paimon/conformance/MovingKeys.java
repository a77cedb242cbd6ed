package org.apache.paimon.conformance;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.function.BiConsumer;
import org.apache.paimon.crosspartition.GlobalIndexAssigner;
import org.apache.paimon.crosspartition.IndexBootstrap;
import org.apache.paimon.data.InternalRow;
import org.apache.paimon.disk.IOManager;
import org.apache.paimon.table.FileStoreTable;

/**
 * What becomes of rows whose keys may move between partitions, as the sinks of Flink and Spark find it with one
 * assigner.
 */
final class MovingKeys implements AutoCloseable {
    private static final long MEMORY_BYTES = 16 << 20;

    private final GlobalIndexAssigner assigner;

    /** {@code writer} takes rows and their buckets. */
    MovingKeys(FileStoreTable table, IOManager disk, BiConsumer<InternalRow, Integer> writer) throws Exception {
        this.assigner = new GlobalIndexAssigner(table);
        assigner.open(MEMORY_BYTES, disk, 1, 0, writer);
        new IndexBootstrap(table).bootstrap(1, 0, this::learn);
        assigner.endBoostrap(false);
    }

    void write(InternalRow row) throws Exception {
        assigner.processInput(row);
    }

    @Override
    public void close() throws IOException {
        assigner.close();
    }

    private void learn(InternalRow key) {
        try {
            assigner.bootstrapKey(key);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
