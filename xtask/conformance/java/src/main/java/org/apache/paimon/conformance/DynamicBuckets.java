package org.apache.paimon.conformance;

import java.io.IOException;
import java.util.stream.IntStream;
import org.apache.paimon.CoreOptions;
import org.apache.paimon.data.InternalRow;
import org.apache.paimon.index.BucketAssigner;
import org.apache.paimon.index.HashBucketAssigner;
import org.apache.paimon.index.HashIndexFile;
import org.apache.paimon.index.IndexFileHandler;
import org.apache.paimon.index.SimpleHashBucketAssigner;
import org.apache.paimon.manifest.IndexManifestEntry;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.node.JsonNodeFactory;
import org.apache.paimon.table.FileStoreTable;
import org.apache.paimon.table.sink.RowPartitionKeyExtractor;
import org.apache.paimon.types.RowType;

/** Where the rows of a table of dynamic buckets go, as the sinks of Flink and Spark find it with one assigner. */
final class DynamicBuckets {
    private final RowPartitionKeyExtractor keys;
    private final BucketAssigner assigner;

    DynamicBuckets(FileStoreTable table, boolean overwrites) {
        this.keys = new RowPartitionKeyExtractor(table.schema());
        CoreOptions options = table.coreOptions();
        long rows = options.dynamicBucketTargetRowNum();
        int buckets = options.dynamicBucketMaxBuckets();
        this.assigner =
                overwrites
                        ? new SimpleHashBucketAssigner(1, 0, rows, buckets)
                        : new HashBucketAssigner(
                                table.snapshotManager(),
                                "driver",
                                table.store().newIndexFileHandler(),
                                1,
                                1,
                                0,
                                rows,
                                buckets);
    }

    int of(InternalRow row) {
        return assigner.assign(keys.partition(row), keys.trimmedPrimaryKey(row).hashCode());
    }

    /** Answers {@code indexes: [{partition: [value, ...], bucket, hashes: [number, ...]}]}, hashes in their order. */
    static JsonNode indexes(FileStoreTable table) throws IOException {
        IndexFileHandler handler = table.store().newIndexFileHandler();
        RowType partitions = table.schema().logicalPartitionType();
        var answer = JsonNodeFactory.instance.objectNode();
        ArrayNode indexes = answer.putArray("indexes");
        for (IndexManifestEntry entry : handler.scan(HashIndexFile.HASH_INDEX)) {
            var index = indexes.addObject();
            ArrayNode partition = index.putArray("partition");
            IntStream.range(0, partitions.getFieldCount())
                    .forEach(i -> partition.add(Values.render(partitions, entry.partition(), i)));
            index.put("bucket", entry.bucket());
            ArrayNode hashes = index.putArray("hashes");
            handler.hashIndex(entry.partition(), entry.bucket()).readList(entry.indexFile()).stream()
                    .sorted()
                    .forEach(hashes::add);
        }
        return answer;
    }
}
