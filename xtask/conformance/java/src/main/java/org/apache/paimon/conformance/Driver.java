package org.apache.paimon.conformance;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * Java Paimon behind JSON lines: one request a line on the standard input, one answer a line on the standard output.
 *
 * <p>Every request but {@code version} and {@code sketch} (of {@link Sketches}) names a {@code warehouse} (a folder)
 * and a {@code table} ({@code database.name}, with {@code $branch_b} behind it for a branch). An answer is an object,
 * with {@code error} in it when the request failed. The requests are the methods of {@link Tables}; values are spelt as
 * {@link Values} says.
 */
public final class Driver {
    private static final ObjectMapper JSON = new ObjectMapper();

    private Driver() {}

    public static void main(String[] arguments) throws Exception {
        PrintStream answers = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.setOut(System.err); // whatever a library prints is no answer
        BufferedReader requests = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = requests.readLine(); line != null; line = requests.readLine()) {
            answers.println(JSON.writeValueAsString(answer(line)));
        }
    }

    private static JsonNode answer(String line) {
        try {
            JsonNode request = JSON.readTree(line);
            String what = request.path("do").asText();
            if (what.equals("version")) {
                return JSON.createObjectNode().put("version", version());
            }
            if (what.equals("sketch")) {
                return Sketches.sketch(request);
            }
            try (Tables tables = new Tables(request)) {
                return switch (what) {
                    case "create" -> tables.create();
                    case "write" -> tables.write();
                    case "delete" -> tables.delete();
                    case "compact" -> tables.compact();
                    case "alter" -> tables.alter();
                    case "tag" -> tables.tag();
                    case "branch" -> tables.branch();
                    case "fast_forward" -> tables.fastForward();
                    case "rollback" -> tables.rollback();
                    case "read" -> tables.read();
                    case "plan" -> tables.plan();
                    case "indexes" -> tables.indexes();
                    default -> throw new IllegalArgumentException("no request is called " + what);
                };
            }
        } catch (Exception | LinkageError | AssertionError error) {
            return failure(error);
        }
    }

    private static ObjectNode failure(Throwable error) {
        Throwable cause = error;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        StackTraceElement[] trace = cause.getStackTrace();
        String place = trace.length == 0 ? "" : " (" + trace[0] + ")";
        String outer = cause == error ? "" : error + ": ";
        return JSON.createObjectNode().put("error", outer + cause + place);
    }

    /** The version in the name of the jar that Paimon was loaded from. */
    private static String version() {
        String jar = org.apache.paimon.table.Table.class.getProtectionDomain().getCodeSource().getLocation().getPath();
        return jar.replaceAll(".*paimon-bundle-(.*)\\.jar", "$1");
    }
}
