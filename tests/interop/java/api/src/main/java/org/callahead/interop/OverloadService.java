package org.callahead.interop;

import java.util.List;
import java.util.Map;

/** One name, many signatures; each answers which one was called, as "of(int)" or "of(java.lang.String,int)". */
public interface OverloadService {
    String of();

    String of(boolean value);

    String of(int value);

    String of(long value);

    String of(Integer value);

    String of(double value);

    String of(String value);

    String of(Object value);

    String of(String text, int number);

    String of(int number, String text);

    String of(String[] values);

    String of(List<String> values);

    String of(Map<String, String> values);

    String of(Address value);
}
