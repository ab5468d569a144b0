package com.example.vectors;

import com.alibaba.com.caucho.hessian.io.Hessian2Output;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.time.MonthDay;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.Period;
import java.time.Year;
import java.time.YearMonth;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.EnumSet;
import java.util.GregorianCalendar;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TimeZone;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

/** Every vector by name: the values of one hessian stream, which share class definitions, types and references. */
final class Vectors {
    private final Map<String, Object[]> streams = new LinkedHashMap<>();

    static Map<String, Object[]> all() {
        Vectors vectors = new Vectors();
        vectors.scalars();
        vectors.strings();
        vectors.binaries();
        vectors.collections();
        vectors.arrays();
        vectors.objects();
        vectors.numbers();
        vectors.times();
        vectors.throwables();
        vectors.bodies();
        return vectors.streams;
    }

    static byte[] encode(Object[] values) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Hessian2Output output = new Hessian2Output(bytes);
        for (Object value : values) {
            output.writeObject(value);
        }
        output.flush();
        return bytes.toByteArray();
    }

    private void add(String name, Object... values) {
        if (streams.put(name, values) != null) {
            throw new IllegalStateException("two vectors named " + name);
        }
    }

    private void one(String name, Object value) {
        add(name, new Object[] {value});
    }

    private void scalars() {
        one("null", null);
        one("true", true);
        one("false", false);
        int[] ints = {0, -1, -16, -17, 47, 48, -2048, -2049, 2047, 2048, -262144, -262145, 262143, 262144,
            Integer.MIN_VALUE, Integer.MAX_VALUE};
        for (int value : ints) {
            one("int_" + value, value);
        }
        long[] longs = {0, -8, -9, 15, 16, -2048, -2049, 2047, 2048, -262144, -262145, 262143, 262144,
            Integer.MIN_VALUE, Integer.MAX_VALUE, Integer.MIN_VALUE - 1L, Integer.MAX_VALUE + 1L,
            Long.MIN_VALUE, Long.MAX_VALUE};
        for (long value : longs) {
            one("long_" + value, value);
        }
        double[] doubles = {0.0, 1.0, -1.0, 127, 128, -128, -129, 32767, 32768, -32768, -32769, 12.25, 0.001, -0.001,
            1.1, 2147483.647, 2147483.648, 1e300, Double.MIN_VALUE, Double.MAX_VALUE, Double.NaN,
            Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY};
        for (double value : doubles) {
            one("double_" + value, value);
        }
        one("byte_-5", (byte) -5);
        one("short_300", (short) 300);
        one("float_1.1", 1.1f);
        one("float_0.5", 0.5f);
        one("float_3.4028235E38", Float.MAX_VALUE);
        one("char_x", 'x');
        one("char_euro", '\u20ac');
        one("date_ms", new Date(894621091001L));
        one("date_minute", new Date(894621060000L));
        one("date_before_epoch", new Date(-1L));
        one("date_minute_before_epoch", new Date(-60000L));
        one("date_max", new Date(Long.MAX_VALUE));
        one("date_far_minute", new Date(60000L * (1L << 31)));
    }

    private void strings() {
        one("string_empty", "");
        one("string_31", "a".repeat(31));
        one("string_32", "a".repeat(32));
        one("string_1023", "b".repeat(1023));
        one("string_1024", "c".repeat(1024));
        one("string_two_bytes", "\u00e9\u00df\u0080\u07ff");
        one("string_three_bytes", "\u0800\u4e2d\u6587\uffff");
        one("string_nul", "a\u0000b");
        one("string_emoji", "x\ud83d\ude00y");
        one("string_emoji_only", "\ud83d\ude00".repeat(20));
        one("string_lone_high", "a\ud83d");
        one("string_lone_low", "\ude00a");
        one("string_32768", "d".repeat(32768));
        one("string_32769", "e".repeat(32769));
        one("string_emoji_on_chunk_edge", "f".repeat(32767) + "\ud83d\ude00" + "g".repeat(5));
    }

    private static byte[] ramp(int length) {
        byte[] bytes = new byte[length];
        for (int i = 0; i < length; i++) {
            bytes[i] = (byte) i;
        }
        return bytes;
    }

    private void binaries() {
        for (int length : new int[] {0, 15, 16, 1023, 1024, 9000}) {
            one("binary_" + length, ramp(length));
        }
    }

    private void collections() {
        one("list_empty", new ArrayList<>());
        one("list_7", new ArrayList<>(List.of(1, 2, 3, 4, 5, 6, 7)));
        one("list_8", new ArrayList<>(List.of(1, 2, 3, 4, 5, 6, 7, 8)));
        one("list_nested", new ArrayList<>(Arrays.asList(new ArrayList<>(List.of("a")), null, new ArrayList<>())));
        one("linked_list", new LinkedList<>(List.of("a", "b")));
        one("linked_list_8", new LinkedList<>(List.of(1, 2, 3, 4, 5, 6, 7, 8)));
        one("arrays_as_list", Arrays.asList("a", 1));
        one("immutable_list", List.of("a", "b", "c"));
        one("unmodifiable_list", Collections.unmodifiableList(new ArrayList<>(List.of(1, 2))));
        one("unmodifiable_linked_list", Collections.unmodifiableList(new LinkedList<>(List.of(1, 2))));
        one("synchronized_list", Collections.synchronizedList(new ArrayList<>(List.of(1))));
        one("singleton_list", Collections.singletonList("s"));
        one("empty_list", Collections.emptyList());
        one("copy_on_write", new CopyOnWriteArrayList<>(List.of(1)));
        one("array_deque", new ArrayDeque<>(List.of(1, 2)));
        one("hash_set", new HashSet<>(List.of("one")));
        one("linked_hash_set", new LinkedHashSet<>(List.of("z", "a", "m")));
        one("tree_set", new TreeSet<>(List.of(3, 1, 2)));
        one("unmodifiable_set", Collections.unmodifiableSet(new HashSet<>(List.of("u"))));
        one("immutable_set", Set.of("i"));
        one("enum_set", EnumSet.of(Color.RED));
        one("map_empty", new HashMap<>());
        one("hash_map", new HashMap<>(Map.of("k", 1L)));
        Map<Object, Object> linked = new LinkedHashMap<>();
        linked.put("a", 1);
        linked.put(2, "b");
        linked.put(null, null);
        one("linked_hash_map", linked);
        one("tree_map", new TreeMap<>(Map.of("b", 2, "a", 1)));
        one("concurrent_map", new ConcurrentHashMap<>(Map.of("c", 3)));
        one("unmodifiable_map", Collections.unmodifiableMap(new HashMap<>(Map.of("u", 1))));
        one("immutable_map", Map.of("i", 1));
        one("singleton_map", Collections.singletonMap("s", 1));
        one("map_with_list_key", new HashMap<>(Map.of(new ArrayList<>(List.of(1)), "list")));
        one("map_with_object_key", new HashMap<>(Map.of(new Point(1, 2L, "k"), "object")));
        one("type_shared", new ArrayList<>(List.of(new LinkedList<>(List.of(1)), new LinkedList<>(List.of(2)))));
        List<Object> loop = new ArrayList<>();
        loop.add(loop);
        one("list_cycle", loop);
        Map<String, Object> self = new HashMap<>();
        self.put("self", self);
        one("map_cycle", self);
        List<Object> shared = new ArrayList<>(List.of("s"));
        one("list_shared", new ArrayList<>(List.of(shared, shared)));
    }

    private void arrays() {
        one("array_boolean", new boolean[] {true, false});
        one("array_short", new short[] {1, -2});
        one("array_int", new int[] {1, 2, 300000});
        one("array_int_8", new int[8]);
        one("array_long", new long[] {1, 1L << 40});
        one("array_float", new float[] {0.5f, 1.1f});
        one("array_double", new double[] {0, 1.5});
        one("array_char", new char[] {'a', 'b'});
        one("array_string", new String[] {"a", null});
        one("array_object", new Object[] {1, "a"});
        one("array_integer", new Integer[] {1, null});
        one("array_long_boxed", new Long[] {1L});
        one("array_date", new Date[] {new Date(0)});
        one("array_int_int", new int[][] {{1}, {2, 3}});
        one("array_string_string", new String[][] {{"a"}, {}});
        one("array_point", new Point[] {new Point(1, 2L, "p")});
        one("array_color", new Color[] {Color.RED, Color.GREEN});
    }

    private void objects() {
        one("point", new Point(3, 4L, "here"));
        one("point_null", new Point(0, 0L, null));
        one("empty_object", new Empty());
        one("plain_object", new Object());
        one("points", new ArrayList<>(List.of(new Point(1, 1L, "a"), new Point(2, 2L, "b"))));
        Node root = new Node("root");
        Node child = new Node("child");
        root.children.add(child);
        child.next = root;
        one("node_cycle", root);
        Node own = new Node("own");
        own.next = own;
        one("node_self", own);
        Everything everything = new Everything();
        everything.mixed = new ArrayList<>(Arrays.asList(1, 2L, 2.5, "s", null, Color.GREEN, new LinkedList<>(List.of(9L))));
        everything.attributes = new LinkedHashMap<>();
        everything.attributes.put("price", new BigDecimal("1E+3"));
        everything.attributes.put("when", LocalDate.of(2024, 2, 29));
        everything.attributes.put("set", new LinkedHashSet<>(List.of("z", "a")));
        everything.attributes.put("id", UUID.fromString("123e4567-e89b-12d3-a456-426614174000"));
        one("everything", everything);
        one("enum", Color.RED);
        one("enum_with_body", Color.GREEN);
        one("enums", new ArrayList<>(List.of(Color.RED, Color.GREEN, Color.RED)));
        one("class", String.class);
        List<Object> many = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            many.add(i);
        }
        one("seventeen_classes", new Object[] {
            new Point(1, 1L, "a"), Color.RED, new Empty(), new Node("n"), new BigDecimal("1"), UUID.fromString(
            "123e4567-e89b-12d3-a456-426614174000"), LocalDate.of(1970, 1, 1), LocalTime.of(1, 2), Year.of(1999),
            YearMonth.of(1999, 12), MonthDay.of(2, 29), Period.of(1, 2, 3), Duration.ofSeconds(1), Instant.EPOCH,
            ZoneOffset.ofHours(1), ZoneId.of("Europe/Paris"), Locale.CHINA, new BigInteger("1"), Locale.CHINA, new Empty()});
    }

    private void numbers() {
        for (String text : new String[] {"0", "19.90", "-1.5", "1E+3", "1E-10", "0.000000", "12345678901234567890.123456789"}) {
            one("decimal_" + text, new BigDecimal(text));
        }
        for (String text : new String[] {"0", "1", "-1", "4294967296", "-170141183460469231731687303715884105728",
            "123456789012345678901234567890"}) {
            one("integer_" + text, new BigInteger(text));
        }
        BigDecimal same = new BigDecimal("7");
        one("decimal_shared", new ArrayList<>(List.of(same, same)));
        one("uuid", UUID.fromString("123e4567-e89b-12d3-a456-426614174000"));
        one("locale_zh_CN", Locale.CHINA);
        one("locale_en", Locale.ENGLISH);
        one("locale_root", Locale.ROOT);
        GregorianCalendar calendar = new GregorianCalendar(TimeZone.getTimeZone("UTC"));
        calendar.setTimeInMillis(0);
        one("calendar", calendar);
    }

    private void times() {
        one("local_date", LocalDate.of(2024, 2, 29));
        one("local_date_max", LocalDate.MAX);
        one("local_time", LocalTime.of(23, 59, 58, 123456000));
        one("local_time_nanos", LocalTime.of(23, 59, 58, 123456789));
        one("local_date_time", LocalDateTime.of(2024, 2, 29, 1, 2, 3, 4000));
        one("local_date_time_nanos", LocalDateTime.of(2024, 2, 29, 1, 2, 3, 4));
        one("instant", Instant.ofEpochSecond(1709168523L, 123456000));
        one("instant_nanos", Instant.ofEpochSecond(1709168523L, 123456789));
        one("instant_before_epoch", Instant.ofEpochSecond(-1L, 999999999));
        one("instant_max", Instant.MAX);
        one("duration", Duration.ofSeconds(90, 500000));
        one("duration_nanos", Duration.ofNanos(-1));
        one("duration_max", Duration.ofSeconds(Long.MAX_VALUE, 999999999));
        one("offset_date_time", OffsetDateTime.of(2024, 2, 29, 1, 2, 3, 4000, ZoneOffset.ofHoursMinutes(5, 30)));
        one("offset_time", OffsetTime.of(1, 2, 3, 4000, ZoneOffset.ofHours(-3)));
        one("zoned_date_time", ZonedDateTime.of(2024, 7, 1, 12, 0, 0, 0, ZoneId.of("Europe/Paris")));
        one("zoned_date_time_overlap", ZonedDateTime.ofLocal(
            LocalDateTime.of(2024, 10, 27, 2, 30), ZoneId.of("Europe/Paris"), ZoneOffset.ofHours(1)));
        one("zoned_date_time_offset", ZonedDateTime.of(2024, 7, 1, 12, 0, 0, 1, ZoneOffset.UTC));
        one("year", Year.of(2024));
        one("year_month", YearMonth.of(2024, 2));
        one("month_day", MonthDay.of(2, 29));
        one("period", Period.of(1, -2, 3));
        one("zone_offset", ZoneOffset.ofHoursMinutes(5, 30));
        one("zone_offset_utc", ZoneOffset.UTC);
        one("zone_id", ZoneId.of("Asia/Shanghai"));
        LocalDate day = LocalDate.of(2000, 1, 1);
        one("local_date_shared", new ArrayList<>(List.of(day, day)));
        List<Object> again = new ArrayList<>(List.of("again"));
        one("reference_after_handle", new ArrayList<>(List.of(day, again, again)));
        one("reference_after_handles", new ArrayList<>(List.of(
            LocalDateTime.of(2000, 1, 1, 0, 0), Instant.EPOCH, Locale.CHINA, again, again)));
        one("reference_after_immutable", new ArrayList<>(List.of(List.of(1), again, again)));
        UUID id = UUID.fromString("123e4567-e89b-12d3-a456-426614174000");
        one("uuid_shared", new ArrayList<>(List.of(id, id, again, again)));
        BigInteger ten = BigInteger.TEN;
        one("integer_shared", new ArrayList<>(List.of(ten, ten, again, again)));
        one("handles_shared", new ArrayList<>(List.of(
            day, again, day, again, Locale.CHINA, Locale.CHINA, Instant.EPOCH, Instant.EPOCH, again)));
        one("sql_timestamp", new java.sql.Timestamp(894621091001L));
        one("sql_date", new java.sql.Date(894578400000L));
        one("sql_time", new java.sql.Time(3600000L));
    }

    private static <T extends Throwable> T fixed(T error) {
        error.setStackTrace(new StackTraceElement[] {
            new StackTraceElement("com.example.Shop", "sell", "Shop.java", 42),
            new StackTraceElement("com.example.Main", "main", null, -2)});
        return error;
    }

    private void throwables() {
        one("exception", fixed(new IllegalStateException("no stock")));
        one("exception_no_message", fixed(new RuntimeException()));
        one("exception_cause", fixed(new ShopException(7, "cannot sell", fixed(new IOException("disk full")))));
        RuntimeException suppressing = fixed(new RuntimeException("outer"));
        suppressing.addSuppressed(fixed(new IOException("inner")));
        one("exception_suppressed", suppressing);
    }

    private void bodies() {
        Map<String, Object> attachments = new HashMap<>();
        attachments.put("path", "com.example.Shop");
        Point point = new Point(1, 2L, "p");
        add("body_request", "2.0.2", "com.example.Shop", "0.0.0", "sell", "Lcom/example/Point;J", point, 5L, attachments);
        add("body_shared_reference", point, point, new ArrayList<>(List.of(point)));
        add("body_response", 4, new ArrayList<>(List.of(point, Color.RED)), attachments);
    }
}
