package org.apache.paimon.conformance;

import java.io.IOException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.stream.StreamSupport;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.node.JsonNodeFactory;
import org.apache.paimon.utils.HllSketchUtil;
import org.apache.paimon.utils.RoaringBitmap32;
import org.apache.paimon.utils.RoaringBitmap64;
import org.apache.paimon.utils.ThetaSketch;

/** Bytes of what the aggregate functions over bytes merge. */
final class Sketches {
    private Sketches() {}

    /** {@code of: rbm32|rbm64|hll_sketch|theta_sketch, numbers: [number]}; answers {@code bytes}, as hex. */
    static JsonNode sketch(JsonNode request) throws IOException {
        long[] numbers = StreamSupport.stream(request.get("numbers").spliterator(), false)
                .mapToLong(JsonNode::longValue)
                .toArray();
        int[] narrow = Arrays.stream(numbers).mapToInt(number -> (int) number).toArray();
        byte[] bytes =
                switch (request.get("of").asText()) {
                    case "rbm32" -> RoaringBitmap32.bitmapOf(narrow).serialize();
                    case "rbm64" -> RoaringBitmap64.bitmapOf(numbers).serialize();
                    case "hll_sketch" -> HllSketchUtil.sketchOf(narrow);
                    case "theta_sketch" -> ThetaSketch.sketchOf(narrow);
                    default -> throw new IllegalArgumentException("no sketch is like " + request);
                };
        return JsonNodeFactory.instance.objectNode().put("bytes", HexFormat.of().formatHex(bytes));
    }
}
