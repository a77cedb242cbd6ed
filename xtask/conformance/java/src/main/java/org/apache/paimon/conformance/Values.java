package org.apache.paimon.conformance;

import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.paimon.data.BinaryString;
import org.apache.paimon.data.Blob;
import org.apache.paimon.data.BlobData;
import org.apache.paimon.data.Decimal;
import org.apache.paimon.data.GenericArray;
import org.apache.paimon.data.GenericMap;
import org.apache.paimon.data.GenericRow;
import org.apache.paimon.data.InternalArray;
import org.apache.paimon.data.InternalMap;
import org.apache.paimon.data.InternalRow;
import org.apache.paimon.data.Timestamp;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.node.ArrayNode;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.node.JsonNodeFactory;
import org.apache.paimon.types.ArrayType;
import org.apache.paimon.types.DataType;
import org.apache.paimon.types.DataTypes;
import org.apache.paimon.types.DecimalType;
import org.apache.paimon.types.MapType;
import org.apache.paimon.types.MultisetType;
import org.apache.paimon.types.RowType;

/**
 * Values as JSON and as Paimon's own objects.
 *
 * <p>Nothing is lost on the way: floats are the bits of the number, bytes and blobs hex, decimals text, dates days, times of day
 * milliseconds, timestamps microseconds since 1970, maps and multisets pairs sorted by their JSON text, rows arrays. A
 * timestamp may be given as {@code [microseconds, nanoseconds within]}; it is told in microseconds, rounded down.
 */
final class Values {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final HexFormat HEX = HexFormat.of();

    private Values() {}

    static GenericRow row(RowType type, JsonNode values) {
        if (values.size() != type.getFieldCount()) {
            throw new IllegalArgumentException(values.size() + " values for " + type);
        }
        GenericRow row = new GenericRow(type.getFieldCount());
        for (int i = 0; i < type.getFieldCount(); i++) {
            row.setField(i, parse(type.getTypeAt(i), values.get(i)));
        }
        return row;
    }

    /** The object that Paimon keeps for a value. */
    static Object parse(DataType type, JsonNode value) {
        if (value.isNull()) {
            return null;
        }
        return switch (type.getTypeRoot()) {
            case BOOLEAN -> value.booleanValue();
            case TINYINT -> (byte) value.intValue();
            case SMALLINT -> (short) value.intValue();
            case INTEGER, DATE, TIME_WITHOUT_TIME_ZONE -> value.intValue();
            case BIGINT -> value.longValue();
            case FLOAT -> Float.intBitsToFloat(value.intValue());
            case DOUBLE -> Double.longBitsToDouble(value.longValue());
            case CHAR, VARCHAR -> BinaryString.fromString(value.textValue());
            case BINARY, VARBINARY -> HEX.parseHex(value.textValue());
            case BLOB -> new BlobData(HEX.parseHex(value.textValue()));
            case DECIMAL -> decimal((DecimalType) type, value.textValue());
            case TIMESTAMP_WITHOUT_TIME_ZONE, TIMESTAMP_WITH_LOCAL_TIME_ZONE -> timestamp(value);
            case ARRAY -> new GenericArray(parseAll(((ArrayType) type).getElementType(), value));
            case MAP -> map(((MapType) type).getKeyType(), ((MapType) type).getValueType(), value);
            case MULTISET -> map(((MultisetType) type).getElementType(), DataTypes.INT(), value);
            case ROW -> row((RowType) type, value);
            default -> throw new UnsupportedOperationException("values of " + type);
        };
    }

    /** The JSON of column {@code i} of a row. */
    static JsonNode render(RowType type, InternalRow row, int i) {
        return render(type.getTypeAt(i), InternalRow.createFieldGetter(type.getTypeAt(i), i).getFieldOrNull(row));
    }

    private static JsonNode render(DataType type, Object value) {
        if (value == null) {
            return JSON.nullNode();
        }
        return switch (type.getTypeRoot()) {
            case BOOLEAN -> JSON.booleanNode((Boolean) value);
            case TINYINT, SMALLINT, INTEGER, DATE, TIME_WITHOUT_TIME_ZONE, BIGINT ->
                    JSON.numberNode(((Number) value).longValue());
            case FLOAT -> JSON.numberNode(Float.floatToRawIntBits((Float) value));
            case DOUBLE -> JSON.numberNode(Double.doubleToRawLongBits((Double) value));
            case CHAR, VARCHAR -> JSON.textNode(value.toString());
            case BINARY, VARBINARY -> JSON.textNode(HEX.formatHex((byte[]) value));
            case BLOB -> JSON.textNode(HEX.formatHex(((Blob) value).toData()));
            case DECIMAL -> JSON.textNode(((Decimal) value).toBigDecimal().toPlainString());
            case TIMESTAMP_WITHOUT_TIME_ZONE, TIMESTAMP_WITH_LOCAL_TIME_ZONE ->
                    JSON.numberNode(((Timestamp) value).toMicros());
            case ARRAY -> elements(((ArrayType) type).getElementType(), (InternalArray) value);
            case MAP -> pairs(((MapType) type).getKeyType(), ((MapType) type).getValueType(), (InternalMap) value);
            case MULTISET -> pairs(((MultisetType) type).getElementType(), DataTypes.INT(), (InternalMap) value);
            case ROW -> {
                ArrayNode fields = JSON.arrayNode();
                for (int i = 0; i < ((RowType) type).getFieldCount(); i++) {
                    fields.add(render((RowType) type, (InternalRow) value, i));
                }
                yield fields;
            }
            default -> throw new UnsupportedOperationException("values of " + type);
        };
    }

    private static Object[] parseAll(DataType type, JsonNode values) {
        Object[] items = new Object[values.size()];
        Arrays.setAll(items, i -> parse(type, values.get(i)));
        return items;
    }

    private static GenericMap map(DataType keys, DataType values, JsonNode pairs) {
        Map<Object, Object> map = new LinkedHashMap<>();
        pairs.forEach(pair -> map.put(parse(keys, pair.get(0)), parse(values, pair.get(1))));
        return new GenericMap(map);
    }

    private static Decimal decimal(DecimalType type, String text) {
        Decimal value = Decimal.fromBigDecimal(new BigDecimal(text), type.getPrecision(), type.getScale());
        if (value == null) {
            throw new IllegalArgumentException(text + " does not fit " + type);
        }
        return value;
    }

    private static Timestamp timestamp(JsonNode value) {
        long micros = value.isArray() ? value.get(0).longValue() : value.longValue();
        int nanos = value.isArray() ? value.get(1).intValue() : 0;
        long millis = Math.floorDiv(micros, 1000L);
        return Timestamp.fromEpochMillis(millis, (int) Math.floorMod(micros, 1000L) * 1000 + nanos);
    }

    private static ArrayNode elements(DataType type, InternalArray array) {
        InternalArray.ElementGetter getter = InternalArray.createElementGetter(type);
        ArrayNode items = JSON.arrayNode();
        for (int i = 0; i < array.size(); i++) {
            items.add(render(type, getter.getElementOrNull(array, i)));
        }
        return items;
    }

    private static ArrayNode pairs(DataType keys, DataType values, InternalMap map) {
        ArrayNode keyNodes = elements(keys, map.keyArray());
        ArrayNode valueNodes = elements(values, map.valueArray());
        List<ArrayNode> pairs = new ArrayList<>();
        for (int i = 0; i < map.size(); i++) {
            pairs.add(JSON.arrayNode().add(keyNodes.get(i)).add(valueNodes.get(i)));
        }
        pairs.sort((a, b) -> Arrays.compareUnsigned(utf8(a), utf8(b)));
        return JSON.arrayNode().addAll(pairs);
    }

    private static byte[] utf8(JsonNode value) {
        return value.toString().getBytes(StandardCharsets.UTF_8);
    }
}
