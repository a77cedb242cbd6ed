package org.apache.paimon.conformance;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.StreamSupport;
import org.apache.paimon.Snapshot;
import org.apache.paimon.append.AppendCompactCoordinator;
import org.apache.paimon.append.AppendCompactTask;
import org.apache.paimon.catalog.Catalog;
import org.apache.paimon.catalog.CatalogContext;
import org.apache.paimon.catalog.CatalogFactory;
import org.apache.paimon.catalog.Identifier;
import org.apache.paimon.data.BinaryRow;
import org.apache.paimon.data.InternalRow;
import org.apache.paimon.deletionvectors.Bitmap64DeletionVector;
import org.apache.paimon.deletionvectors.BitmapDeletionVector;
import org.apache.paimon.deletionvectors.DeletionVector;
import org.apache.paimon.deletionvectors.append.BaseAppendDeleteFileMaintainer;
import org.apache.paimon.index.IndexFileHandler;
import org.apache.paimon.index.IndexFileMeta;
import org.apache.paimon.io.CompactIncrement;
import org.apache.paimon.io.DataFileMeta;
import org.apache.paimon.io.DataIncrement;
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
import org.apache.paimon.table.sink.BatchTableCommit;
import org.apache.paimon.table.sink.BatchTableWrite;
import org.apache.paimon.table.sink.BatchWriteBuilder;
import org.apache.paimon.table.sink.CommitMessage;
import org.apache.paimon.table.sink.CommitMessageImpl;
import org.apache.paimon.table.source.DataSplit;
import org.apache.paimon.table.source.ReadBuilder;
import org.apache.paimon.table.source.Split;
import org.apache.paimon.types.DataType;
import org.apache.paimon.types.DataTypeJsonParser;
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
     * One commit: {@code rows: [[value, ...]], overwrite?: true | {partition column: value}, options?}.
     *
     * <p>{@code overwrite: true} replaces the partitions that the rows are in, or all of a table without partitions.
     */
    JsonNode write() throws Exception {
        FileStoreTable table = table();
        BatchWriteBuilder builder = table.newBatchWriteBuilder();
        JsonNode overwrite = request.path("overwrite");
        if (overwrite.isObject()) {
            builder.withOverwrite(map(overwrite));
        } else if (overwrite.asBoolean()) {
            builder.withOverwrite();
        }
        try (BatchTableWrite write = builder.newWrite();
                BatchTableCommit commit = builder.newCommit()) {
            for (JsonNode row : request.get("rows")) {
                write.write(Values.row(table.rowType(), row));
            }
            commit.commit(write.prepareCommit());
        }
        return snapshot(table);
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

    /** Rewrites small files, and files with deleted rows, of a table without fixed buckets. */
    JsonNode compact() throws Exception {
        FileStoreTable table = table();
        List<CommitMessage> messages = new ArrayList<>();
        BaseAppendFileStoreWrite write = (BaseAppendFileStoreWrite) table.store().newWrite("driver");
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

    /** {@code filter?, options?}; answers {@code columns: [name], rows: [[value, ...]]}. */
    JsonNode read() throws Exception {
        FileStoreTable table = table();
        ReadBuilder builder = readBuilder(table);
        RowType type = builder.readType();
        ArrayNode rows = JSON.arrayNode();
        List<Split> splits = builder.newScan().plan().splits();
        try (RecordReader<InternalRow> reader = builder.newRead().executeFilter().createReader(splits)) {
            reader.forEachRemaining(
                    row -> {
                        ArrayNode values = rows.addArray();
                        for (int i = 0; i < type.getFieldCount(); i++) {
                            values.add(Values.render(type, row, i));
                        }
                    });
        }
        ArrayNode columns = JSON.arrayNode();
        type.getFieldNames().forEach(columns::add);
        var answer = JSON.objectNode();
        answer.set("columns", columns);
        answer.set("rows", rows);
        return answer;
    }

    /** {@code filter?, options?}; answers the names of the {@code files} that are left to read. */
    JsonNode plan() throws Exception {
        Set<String> files = new HashSet<>();
        for (Split split : readBuilder(table()).newScan().plan().splits()) {
            for (DataFileMeta file : ((DataSplit) split).dataFiles()) {
                files.add(file.fileName());
            }
        }
        ArrayNode names = JSON.arrayNode();
        files.stream().sorted().forEach(names::add);
        return JSON.objectNode().set("files", names);
    }

    private ReadBuilder readBuilder(FileStoreTable table) {
        ReadBuilder builder = table.newReadBuilder();
        if (request.has("filter")) {
            builder.withFilter(Filters.parse(table.rowType(), request.get("filter")));
        }
        return builder;
    }

    /** The table, with the request's options over its own (not of {@code create}). */
    private FileStoreTable table() throws Exception {
        return (FileStoreTable) catalog.getTable(identifier).copy(map(request.path("options")));
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
