package com.example.vectors;

import java.io.Serializable;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Map;

/** The classes that the vectors carry. */
final class Types {
    private Types() {}
}

enum Color {
    RED,
    GREEN {
        @Override
        public String toString() {
            return "grass";
        }
    }
}

class Point implements Serializable {
    int x;
    long y;
    String labelText;

    Point(int x, long y, String labelText) {
        this.x = x;
        this.y = y;
        this.labelText = labelText;
    }
}

class Empty implements Serializable {}

class Node implements Serializable {
    String name;
    Node next;
    List<Node> children = new ArrayList<>();

    Node(String name) {
        this.name = name;
    }
}

class Everything implements Serializable {
    boolean flag = true;
    byte tiny = -7;
    short small = 300;
    int whole = 100000;
    long big = 5L;
    float real = 1.1f;
    double wide = 2.5;
    char letter = 'x';
    Boolean boxedFlag = Boolean.FALSE;
    Byte boxedTiny = 7;
    Short boxedSmall = -300;
    Integer boxedWhole = 70000;
    Long boxedBig = 1L << 40;
    Float boxedReal = 1.1f;
    Double boxedWide = 12.25;
    Character boxedLetter = 'y';
    String text = "h\u00e9llo";
    Date moment = new Date(894621091000L);
    BigDecimal price = new BigDecimal("19.90");
    Color color = Color.RED;
    int[] numbers = {1, 2, 3};
    long[] longs = {1L, 2L};
    String[] words = {"a", null};
    byte[] raw = {1, 2, 3};
    List<Object> mixed;
    Map<String, Object> attributes;
    Point point = new Point(1, 2L, "p");
    Object nothing = null;
}

class ShopException extends RuntimeException {
    final int code;

    ShopException(int code, String message, Throwable cause) {
        super(message, cause);
        this.code = code;
    }
}
