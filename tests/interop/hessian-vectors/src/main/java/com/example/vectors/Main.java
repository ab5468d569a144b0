package com.example.vectors;

import com.alibaba.com.caucho.hessian.io.Hessian2Input;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * {@code write FILE}: one line "name hex" for every vector.
 * {@code read FILE}: decodes such lines (made by Python) and encodes what came out again; that must give what the same
 * gives of Java's own vector of that name. Prints the names that differ and fails.
 */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws IOException {
        Path file = Path.of(arguments[1]);
        if (arguments[0].equals("write")) {
            write(file);
        } else {
            System.exit(read(file));
        }
    }

    private static Map<String, byte[]> vectors() throws IOException {
        Map<String, byte[]> bytes = new LinkedHashMap<>();
        for (Map.Entry<String, Object[]> entry : Vectors.all().entrySet()) {
            bytes.put(entry.getKey(), Vectors.encode(entry.getValue()));
        }
        return bytes;
    }

    private static void write(Path file) throws IOException {
        String lines = vectors().entrySet().stream()
            .map(entry -> entry.getKey() + " " + HexFormat.of().formatHex(entry.getValue()) + "\n")
            .collect(Collectors.joining());
        Files.writeString(file, lines);
    }

    private static int read(Path file) throws IOException {
        Map<String, byte[]> expected = vectors();
        int wrong = 0;
        int right = 0;
        for (String line : Files.readAllLines(file)) {
            int space = line.indexOf(' ');
            String name = line.substring(0, space);
            int count = Vectors.all().get(name).length;
            byte[] again = decodeAndEncode(HexFormat.of().parseHex(line.substring(space + 1)), count);
            if (Arrays.equals(again, decodeAndEncode(expected.get(name), count))) {
                right++;
            } else {
                wrong++;
                System.out.println("differs: " + name + " " + HexFormat.of().formatHex(again));
            }
        }
        System.out.println(right + " the same, " + wrong + " different");
        return wrong == 0 ? 0 : 1;
    }

    private static byte[] decodeAndEncode(byte[] data, int count) throws IOException {
        Hessian2Input input = new Hessian2Input(new ByteArrayInputStream(data));
        Object[] values = new Object[count];
        for (int i = 0; i < count; i++) {
            values[i] = input.readObject();
        }
        return Vectors.encode(values);
    }
}
