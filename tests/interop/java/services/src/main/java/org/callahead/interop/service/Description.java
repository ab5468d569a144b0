package org.callahead.interop.service;

import java.util.Arrays;

/** The class and the text of a value, as "java.lang.Long=42". */
final class Description {
    private Description() {}

    static String of(Object value) {
        return value == null ? "null" : value.getClass().getName() + "=" + text(value);
    }

    private static String text(Object value) {
        if (!value.getClass().isArray()) {
            return value.toString();
        }
        // deepToString takes every kind of array inside an Object[], so wrap it and take the outer brackets off.
        String wrapped = Arrays.deepToString(new Object[] {value});
        return wrapped.substring(1, wrapped.length() - 1);
    }
}
