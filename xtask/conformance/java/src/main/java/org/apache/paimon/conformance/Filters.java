package org.apache.paimon.conformance;

import java.util.ArrayList;
import java.util.List;
import org.apache.paimon.predicate.Predicate;
import org.apache.paimon.predicate.PredicateBuilder;
import org.apache.paimon.shade.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.paimon.types.RowType;

/** Filters: {@code ["and", f, g]}, {@code ["or", f, g]}, or {@code [operator, column, literals...]}. */
final class Filters {
    private Filters() {}

    static Predicate parse(RowType type, JsonNode filter) {
        String operator = filter.get(0).asText();
        if (operator.equals("and") || operator.equals("or")) {
            List<Predicate> parts = new ArrayList<>();
            for (int i = 1; i < filter.size(); i++) {
                parts.add(parse(type, filter.get(i)));
            }
            return operator.equals("and") ? PredicateBuilder.and(parts) : PredicateBuilder.or(parts);
        }
        PredicateBuilder builder = new PredicateBuilder(type);
        int column = type.getFieldIndex(filter.get(1).asText());
        List<Object> literals = new ArrayList<>();
        for (int i = 2; i < filter.size(); i++) {
            literals.add(Values.parse(type.getTypeAt(column), filter.get(i)));
        }
        return switch (operator) {
            case "is null" -> builder.isNull(column);
            case "is not null" -> builder.isNotNull(column);
            case "in" -> builder.in(column, literals);
            case "not in" -> builder.notIn(column, literals);
            case "between" -> builder.between(column, literals.get(0), literals.get(1));
            case "=" -> builder.equal(column, literals.get(0));
            case "<>" -> builder.notEqual(column, literals.get(0));
            case "<" -> builder.lessThan(column, literals.get(0));
            case "<=" -> builder.lessOrEqual(column, literals.get(0));
            case ">" -> builder.greaterThan(column, literals.get(0));
            case ">=" -> builder.greaterOrEqual(column, literals.get(0));
            case "starts with" -> builder.startsWith(column, literals.get(0));
            default -> throw new IllegalArgumentException("no operator is called " + operator);
        };
    }
}
