package org.apache.paimon.conformance;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.ToIntFunction;
import java.util.stream.StreamSupport;
import org.apache.paimon.Snapshot;
import org.apache.paimon.append.AppendCompactCoordinator;
import org.apache.paimon.append.AppendCompactTask;
import org.apache.paimon.append.dataevolution.DataEvolutionCompactCoordinator;
import org.apache.paimon.append.dataevolution.DataEvolutionCompactTask;
import org.apache.paimon.catalog.Catalog;
import org.apache.paimon.catalog.CatalogContext;
import org.apache.paimon.catalog.CatalogFactory;
import org.apache.paimon.catalog.Identifier;
import org.apache.paimon.data.BinaryRow;
import org.apache.paimon.data.GenericRow;
import org.apache.paimon.data.InternalRow;
import org.apache.paimon.deletionvectors.Bitmap64DeletionVector;
import org.apache.paimon.deletionvectors.BitmapDeletionVector;
import org.apache.paimon.deletionvectors.DeletionVector;
import org.apache.paimon.deletionvectors.append.BaseAppendDeleteFileMaintainer;
import org.apache.paimon.disk.IOManager;
import org.apache.paimon.index.IndexFileHandler;
import org.apache.paimon.index.IndexFileMeta;
import org.apache.paimon.io.CompactIncrement;
import org.apache.paimon.io.DataFileMeta;
import org.apache.paimon.io.DataIncrement;
import org.apache.paimon.manifest.BucketEntry;
import org.apache.paimon.manifest.FileKind;
import org.apache.paimon.manifest.IndexManifestEntry;
import org.apache.paimon.operation.BaseAppendFileStoreWrite;
import org.apache.paimon.options.Options;
import org.apache.paimon.reader.FileRecordIterator;
import org.apache.paimon.reader.RecordReader;
import org.apache.paimon.schema.Schema;
import org.apache.paimon.schema.SchemaChange;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.node.JsonNodeFactory;
import org.apache.paimon.table.BucketMode;
import org.apache.paimon.table.FileStoreTable;
import org.apache.paimon.table.PostponeUtils;
import org.apache.paimon.table.SpecialFields;
import org.apache.paimon.table.Table;
import org.apache.paimon.table.sink.BatchTableCommit;
import org.apache.paimon.table.sink.BatchTableWrite;
import org.apache.paimon.table.sink.BatchWriteBuilder;
import org.apache.paimon.table.sink.CommitMessage;
import org.apache.paimon.table.sink.CommitMessageImpl;
import org.apache.paimon.table.source.DataSplit;
import org.apache.paimon.table.source.EndOfScanException;
import org.apache.paimon.table.source.ReadBuilder;
import org.apache.paimon.table.source.Split;
import org.apache.paimon.types.DataType;
import org.apache.paimon.types.DataTypeJsonParser;
import org.apache.paimon.types.RowKind;
import org.apache.paimon.types.RowType;

/** What a request does to the table that it names. */
final class Tables implements AutoCloseable {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private final JsonNode request;
    private final Catalog catalog;
    private final Identifier identifier;

    Tables(JsonNode request) {
        this.request = request;
        Options options = new Options();
        options.set("warehouse", request.get("warehouse").asText());
        options.set("cache-enabled", "false");
        this.catalog = CatalogFactory.createCatalog(CatalogContext.create(options));
        this.identifier = Identifier.fromString(request.get("table").asText());
    }

    @Override
    public void close() throws Exception {
        catalog.close();
    }

    /** {@code columns: [{name, type}], partition?: [name], primary_key?: [name], options?: {key: value}}. */
    JsonNode create() throws Exception {
        Schema.Builder schema = Schema.newBuilder();
        for (JsonNode column : request.get("columns")) {
            schema.column(column.get("name").asText(), type(column));
        }
        schema.partitionKeys(texts(request.path("partition")));
        schema.primaryKey(texts(request.path("primary_key")));
        schema.options(map(request.path("options")));
        catalog.createDatabase(identifier.getDatabaseName(), true);
        catalog.createTable(identifier, schema.build(), false);
        return JSON.objectNode();
    }

    /**
     * One commit: {@code rows: [[value, ...]], kinds?: ["+I" | "-U" | "+U" | "-D", ...], buckets?: [number, ...],
     * columns?: [name], first_row_id?: number, overwrite?: true | {partition column: value}, compact?: true, options?}.
     *
     * <p>{@code kinds} are those of the rows, all of them {@code +I} without; {@code buckets} are where the rows go in
     * a table of dynamic buckets, where {@link DynamicBuckets} or {@link MovingKeys} finds out without. {@code overwrite: true} replaces the partitions that the rows are
     * in, or all of a table without partitions. {@code columns} are those that the rows have, in a table with data
     * evolution; with {@code first_row_id}, the rows are those of an existing file, of which these columns change. A table with a primary key is compacted as its options say, and
     * {@code compact: true} puts all files of the buckets written to onto the highest level; {@code options:
     * {"write-only": "true"}} keeps every file on level 0. Rows of a postpone table stay where no reader looks, unless
     * {@code real_buckets: true}.
     */
    JsonNode write() throws Exception {
        FileStoreTable table = table();
        if (request.path("real_buckets").asBoolean()) {
            table = PostponeUtils.tableForFixBucketWrite(table);
        }
        BatchWriteBuilder builder = table.newBatchWriteBuilder();
        JsonNode overwrite = request.path("overwrite");
        boolean overwrites = overwrite.isObject() || overwrite.asBoolean();
        if (overwrites) {
            builder.withOverwrite(overwrite.isObject() ? map(overwrite) : Map.of());
        }
        try (IOManager disk = IOManager.create(System.getProperty("java.io.tmpdir"));
                BatchTableWrite write = builder.newWrite().withIOManager(disk);
                BatchTableCommit commit = builder.newCommit()) {
            RowType type = table.rowType();
            if (request.has("columns")) {
                type = type.project(texts(request.get("columns")));
                write.withWriteType(type);
            }
            boolean moving = table.bucketMode() == BucketMode.KEY_DYNAMIC && !request.has("buckets");
            Set<Bucket> touched =
                    moving
                            ? writeMovingRows(table, disk, write)
                            : writeRows(type, write, buckets(table, write, overwrites));
            if (request.path("compact").asBoolean()) {
                for (Bucket bucket : touched) {
                    write.compact(bucket.partition(), bucket.number(), true);
                }
            }
            List<CommitMessage> messages = write.prepareCommit();
            if (request.has("first_row_id")) {
                messages.replaceAll(this::ofExistingRows);
            }
            commit.commit(messages);
        }
        return snapshot(table);
    }

    private CommitMessage ofExistingRows(CommitMessage message) {
        CommitMessageImpl written = (CommitMessageImpl) message;
        long first = request.get("first_row_id").longValue();
        List<DataFileMeta> files = new ArrayList<>();
        written.newFilesIncrement().newFiles().forEach(file -> files.add(file.assignFirstRowId(first)));
        return new CommitMessageImpl(
                written.partition(),
                written.bucket(),
                written.totalBuckets(),
                new DataIncrement(files, List.of(), List.of()),
                CompactIncrement.emptyIncrement());
    }

    private ToIntFunction<InternalRow> buckets(FileStoreTable table, BatchTableWrite write, boolean overwrites) {
        if (table.bucketMode() == BucketMode.HASH_DYNAMIC && !request.has("buckets")) {
            return new DynamicBuckets(table, overwrites)::of;
        }
        return write::getBucket;
    }

    private Set<Bucket> writeRows(RowType type, BatchTableWrite write, ToIntFunction<InternalRow> buckets)
            throws Exception {
        Set<Bucket> touched = new LinkedHashSet<>();
        for (int i = 0; i < request.get("rows").size(); i++) {
            InternalRow row = row(type, i);
            int bucket = request.has("buckets") ? request.get("buckets").get(i).intValue() : buckets.applyAsInt(row);
            write.write(row, bucket);
            touched.add(new Bucket(write.getPartition(row).copy(), bucket));
        }
        return touched;
    }

    private Set<Bucket> writeMovingRows(FileStoreTable table, IOManager disk, BatchTableWrite write) throws Exception {
        Set<Bucket> touched = new LinkedHashSet<>();
        BiConsumer<InternalRow, Integer> writer =
                (row, bucket) -> {
                    try {
                        write.write(row, bucket);
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                    touched.add(new Bucket(write.getPartition(row).copy(), bucket));
                };
        try (MovingKeys keys = new MovingKeys(table, disk, writer)) {
            for (int i = 0; i < request.get("rows").size(); i++) {
                keys.write(row(table.rowType(), i));
            }
        }
        return touched;
    }

    private InternalRow row(RowType type, int number) {
        GenericRow row = Values.row(type, request.get("rows").get(number));
        if (request.has("kinds")) {
            row.setRowKind(RowKind.fromShortString(request.get("kinds").get(number).asText()));
        }
        return row;
    }

    /** {@code filter}: marks the rows that it keeps as deleted, in deletion vectors. */
    JsonNode delete() throws Exception {
        FileStoreTable table = table();
        List<CommitMessage> messages = new ArrayList<>();
        for (Map.Entry<Bucket, Map<String, DeletionVector>> entry : deletions(table).entrySet()) {
            messages.add(message(table, entry.getKey(), entry.getValue()));
        }
        try (BatchTableCommit commit = table.newBatchWriteBuilder().newCommit()) {
            commit.commit(messages);
        }
        return snapshot(table);
    }

    /** By bucket and data file, the vectors of the request's filter, with what they held before. */
    private Map<Bucket, Map<String, DeletionVector>> deletions(FileStoreTable table) throws Exception {
        boolean wide = table.coreOptions().deletionVectorBitmap64();
        Map<Bucket, Map<String, DeletionVector>> buckets = new LinkedHashMap<>();
        ReadBuilder read = readBuilder(table);
        for (Split planned : read.newScan().plan().splits()) {
            DataSplit split = (DataSplit) planned;
            DeletionVector.Factory existing =
                    DeletionVector.factory(table.fileIO(), split.dataFiles(), split.deletionFiles().orElse(null));
            Map<String, DeletionVector> vectors =
                    buckets.computeIfAbsent(new Bucket(split.partition(), split.bucket()), bucket -> new HashMap<>());
            try (RecordReader<InternalRow> reader = read.newRead().executeFilter().createReader(split)) {
                for (var batch = reader.readBatch(); batch != null; batch = reader.readBatch()) {
                    FileRecordIterator<InternalRow> rows = (FileRecordIterator<InternalRow>) batch;
                    while (rows.next() != null) {
                        String file = rows.filePath().getName();
                        if (!vectors.containsKey(file)) {
                            DeletionVector fresh = wide ? new Bitmap64DeletionVector() : new BitmapDeletionVector();
                            vectors.put(file, existing.create(file).orElse(fresh));
                        }
                        vectors.get(file).delete(rows.returnedPosition());
                    }
                    batch.releaseBatch();
                }
            }
        }
        return buckets;
    }

    private static CommitMessage message(FileStoreTable table, Bucket bucket, Map<String, DeletionVector> vectors) {
        IndexFileHandler indexes = table.store().newIndexFileHandler();
        Snapshot latest = table.snapshotManager().latestSnapshot();
        BinaryRow partition = bucket.partition();
        BaseAppendDeleteFileMaintainer maintainer =
                table.bucketMode() == BucketMode.BUCKET_UNAWARE
                        ? BaseAppendDeleteFileMaintainer.forUnawareAppend(indexes, latest, partition)
                        : BaseAppendDeleteFileMaintainer.forBucketedAppend(indexes, latest, partition, bucket.number());
        vectors.forEach(maintainer::notifyNewDeletionVector);
        List<IndexFileMeta> added = new ArrayList<>();
        List<IndexFileMeta> removed = new ArrayList<>();
        for (IndexManifestEntry index : maintainer.persist()) {
            (index.kind() == FileKind.ADD ? added : removed).add(index.indexFile());
        }
        DataIncrement files = new DataIncrement(List.of(), List.of(), List.of(), added, removed);
        return new CommitMessageImpl(partition, bucket.number(), null, files, CompactIncrement.emptyIncrement());
    }

    /**
     * {@code full?: false}: puts all files of a table with a primary key onto the highest level, or without
     * {@code full} only what is due. Rewrites small files, and files with deleted rows, of an append table without
     * fixed buckets, and merges the files of columns of a table with data evolution.
     */
    JsonNode compact() throws Exception {
        FileStoreTable table = table();
        if (table.coreOptions().dataEvolutionEnabled()) {
            return compactColumns(table);
        }
        return table.primaryKeys().isEmpty() ? compactFiles(table) : compactLevels(table);
    }

    private JsonNode compactColumns(FileStoreTable table) throws Exception {
        List<CommitMessage> messages = new ArrayList<>();
        var coordinator = new DataEvolutionCompactCoordinator(table, false, false);
        try {
            while (true) {
                for (DataEvolutionCompactTask task : coordinator.plan()) {
                    messages.add(task.doCompact(table, "driver"));
                }
            }
        } catch (EndOfScanException end) {
            // so it says that every file was looked at
        }
        try (BatchTableCommit commit = table.newBatchWriteBuilder().newCommit()) {
            commit.commit(messages);
        }
        return snapshot(table);
    }

    private JsonNode compactLevels(FileStoreTable stored) throws Exception {
        FileStoreTable table = stored.copy(Map.of("write-only", "false"));
        BatchWriteBuilder builder = table.newBatchWriteBuilder();
        try (IOManager disk = IOManager.create(System.getProperty("java.io.tmpdir"));
                BatchTableWrite write = builder.newWrite().withIOManager(disk);
                BatchTableCommit commit = builder.newCommit()) {
            for (BucketEntry entry : table.newSnapshotReader().bucketEntries()) {
                write.compact(entry.partition(), entry.bucket(), request.path("full").asBoolean(true));
            }
            commit.commit(write.prepareCommit());
        }
        return snapshot(table);
    }

    private JsonNode compactFiles(FileStoreTable table) throws Exception {
        List<CommitMessage> messages = new ArrayList<>();
        BaseAppendFileStoreWrite write = (BaseAppendFileStoreWrite) table.store().newWrite("driver");
        if (table.coreOptions().rowTrackingEnabled()) {
            write.withWriteType(SpecialFields.rowTypeWithRowTracking(table.rowType())); // row ids stay with their rows
        }
        try {
            for (AppendCompactTask task : new AppendCompactCoordinator(table, false).run()) {
                messages.add(task.doCompact(table, write));
            }
        } finally {
            write.close();
        }
        try (BatchTableCommit commit = table.newBatchWriteBuilder().newCommit()) {
            commit.commit(messages);
        }
        return snapshot(table);
    }

    /** {@code changes: [{change: add|rename|drop|widen|set|remove, name, type?, to?, value?}]}. */
    JsonNode alter() throws Exception {
        List<SchemaChange> changes = new ArrayList<>();
        for (JsonNode change : request.get("changes")) {
            String name = change.get("name").asText();
            changes.add(
                    switch (change.get("change").asText()) {
                        case "add" -> SchemaChange.addColumn(name, type(change));
                        case "rename" -> SchemaChange.renameColumn(name, change.get("to").asText());
                        case "drop" -> SchemaChange.dropColumn(name);
                        case "widen" -> SchemaChange.updateColumnType(name, type(change));
                        case "set" -> SchemaChange.setOption(name, change.get("value").asText());
                        case "remove" -> SchemaChange.removeOption(name);
                        default -> throw new IllegalArgumentException("no change is like " + change);
                    });
        }
        catalog.alterTable(identifier, changes, false);
        return JSON.objectNode();
    }

    /** {@code name, snapshot?}. */
    JsonNode tag() throws Exception {
        String name = request.get("name").asText();
        if (request.has("snapshot")) {
            table().createTag(name, request.get("snapshot").longValue());
        } else {
            table().createTag(name);
        }
        return JSON.objectNode();
    }

    /** {@code name, tag?}. */
    JsonNode branch() throws Exception {
        String name = request.get("name").asText();
        if (request.has("tag")) {
            table().createBranch(name, request.get("tag").asText());
        } else {
            table().createBranch(name);
        }
        return JSON.objectNode();
    }

    /** {@code name}. */
    JsonNode fastForward() throws Exception {
        table().fastForward(request.get("name").asText());
        return JSON.objectNode();
    }

    /** {@code snapshot} or {@code tag}. */
    JsonNode rollback() throws Exception {
        if (request.has("tag")) {
            table().rollbackTo(request.get("tag").asText());
        } else {
            table().rollbackTo(request.get("snapshot").longValue());
        }
        return JSON.objectNode();
    }

    /**
     * {@code filter?, columns?: [name], kinds?: true, options?}; answers {@code columns: [name], rows: [[value, ...]]}.
     *
     * <p>{@code kinds: true} puts the kind of each row before its values. A name like {@code golden.t$ro} reads a
     * system table. With a filter, columns are chosen after reading: Java finds no row by a column that it does not
     * read.
     */
    JsonNode read() throws Exception {
        Table table = readable();
        ReadBuilder builder = readBuilder(table);
        RowType type = builder.readType();
        List<String> names = request.has("columns") ? texts(request.get("columns")) : type.getFieldNames();
        int[] columns = names.stream().mapToInt(type::getFieldIndex).toArray();
        boolean kinds = request.path("kinds").asBoolean();
        ArrayNode rows = JSON.arrayNode();
        List<Split> splits = builder.newScan().plan().splits();
        try (RecordReader<InternalRow> reader = builder.newRead().executeFilter().createReader(splits)) {
            reader.forEachRemaining(
                    row -> {
                        ArrayNode values = rows.addArray();
                        if (kinds) {
                            values.add(row.getRowKind().shortString());
                        }
                        for (int column : columns) {
                            values.add(Values.render(type, row, column));
                        }
                    });
        }
        var answer = JSON.objectNode();
        names.forEach(answer.putArray("columns")::add);
        answer.set("rows", rows);
        return answer;
    }

    /** The hashes of the keys of each bucket of a table of dynamic buckets: {@link DynamicBuckets#indexes}. */
    JsonNode indexes() throws Exception {
        return DynamicBuckets.indexes(table());
    }

    /**
     * {@code filter?, options?}; answers the names of the {@code files} that are left to read, and the {@code splits}
     * that they are in: {@code [{bucket, raw, files: [[name, level], ...]}, ...]}.
     */
    JsonNode plan() throws Exception {
        Set<String> files = new HashSet<>();
        ArrayNode splits = JSON.arrayNode();
        for (Split planned : readBuilder(readable()).newScan().plan().splits()) {
            DataSplit split = (DataSplit) planned;
            var answer = splits.addObject().put("bucket", split.bucket()).put("raw", split.rawConvertible());
            ArrayNode members = answer.putArray("files");
            for (DataFileMeta file : split.dataFiles()) {
                files.add(file.fileName());
                members.addArray().add(file.fileName()).add(file.level());
            }
        }
        ArrayNode names = JSON.arrayNode();
        files.stream().sorted().forEach(names::add);
        var answer = JSON.objectNode();
        answer.set("files", names);
        answer.set("splits", splits);
        return answer;
    }

    private ReadBuilder readBuilder(Table table) {
        ReadBuilder builder = table.newReadBuilder();
        if (request.has("filter")) {
            builder.withFilter(Filters.parse(table.rowType(), request.get("filter")));
        }
        if (request.has("columns") && !request.has("filter")) {
            builder.withReadType(table.rowType().project(texts(request.get("columns"))));
        }
        return builder;
    }

    /** The table, with the request's options over its own (not of {@code create}). */
    private FileStoreTable table() throws Exception {
        return (FileStoreTable) readable();
    }

    /** As {@link #table}, and system tables too. */
    private Table readable() throws Exception {
        return catalog.getTable(identifier).copy(map(request.path("options")));
    }

    private JsonNode snapshot(FileStoreTable table) {
        Long latest = table.snapshotManager().latestSnapshotId();
        return JSON.objectNode().put("snapshot", latest);
    }

    /** A type as it stands in a schema file: text, or an object for constructed types. */
    private static DataType type(JsonNode column) {
        return DataTypeJsonParser.parseDataType(column.get("type"));
    }

    private static List<String> texts(JsonNode array) {
        return StreamSupport.stream(array.spliterator(), false).map(JsonNode::asText).toList();
    }

    private static Map<String, String> map(JsonNode object) {
        Map<String, String> map = new HashMap<>();
        object.fields().forEachRemaining(entry -> map.put(entry.getKey(), entry.getValue().asText()));
        return map;
    }

    private record Bucket(BinaryRow partition, int number) {}
}
