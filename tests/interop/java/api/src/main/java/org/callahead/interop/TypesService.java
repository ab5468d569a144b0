package org.callahead.interop;

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
import java.time.ZonedDateTime;
import java.time.ZoneOffset;
import java.util.ArrayDeque;
import java.util.Calendar;
import java.util.Collection;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.LinkedList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;

/** Every kind of value there and back; {@link #describe} tells what really arrived in Java. */
public interface TypesService {
    // primitives
    boolean echoBoolean(boolean value);
    byte echoByte(byte value);
    short echoShort(short value);
    char echoChar(char value);
    int echoInt(int value);
    long echoLong(long value);
    float echoFloat(float value);
    double echoDouble(double value);

    // wrappers: as above, and null
    Boolean echoBooleanObject(Boolean value);
    Byte echoByteObject(Byte value);
    Short echoShortObject(Short value);
    Character echoCharObject(Character value);
    Integer echoIntObject(Integer value);
    Long echoLongObject(Long value);
    Float echoFloatObject(Float value);
    Double echoDoubleObject(Double value);

    // text, big numbers and the like
    String echoString(String value);
    BigDecimal echoBigDecimal(BigDecimal value);
    BigInteger echoBigInteger(BigInteger value);
    UUID echoUuid(UUID value);
    Locale echoLocale(Locale value);
    Color echoColor(Color value);
    Class<?> echoClass(Class<?> value);

    // time
    Date echoDate(Date value);
    java.sql.Date echoSqlDate(java.sql.Date value);
    java.sql.Time echoSqlTime(java.sql.Time value);
    java.sql.Timestamp echoTimestamp(java.sql.Timestamp value);
    Calendar echoCalendar(Calendar value);
    Instant echoInstant(Instant value);
    LocalDate echoLocalDate(LocalDate value);
    LocalTime echoLocalTime(LocalTime value);
    LocalDateTime echoLocalDateTime(LocalDateTime value);
    OffsetTime echoOffsetTime(OffsetTime value);
    OffsetDateTime echoOffsetDateTime(OffsetDateTime value);
    ZonedDateTime echoZonedDateTime(ZonedDateTime value);
    ZoneOffset echoZoneOffset(ZoneOffset value);
    Duration echoDuration(Duration value);
    Period echoPeriod(Period value);
    Year echoYear(Year value);
    YearMonth echoYearMonth(YearMonth value);
    MonthDay echoMonthDay(MonthDay value);

    // arrays
    boolean[] echoBooleans(boolean[] value);
    byte[] echoBytes(byte[] value);
    short[] echoShorts(short[] value);
    char[] echoChars(char[] value);
    int[] echoInts(int[] value);
    long[] echoLongs(long[] value);
    float[] echoFloats(float[] value);
    double[] echoDoubles(double[] value);
    String[] echoStrings(String[] value);
    Integer[] echoIntObjects(Integer[] value);
    Object[] echoObjects(Object[] value);
    int[][] echoIntTable(int[][] value);
    Address[] echoAddresses(Address[] value);
    Color[] echoColors(Color[] value);

    // collections
    Collection<String> echoCollection(Collection<String> value);
    List<String> echoList(List<String> value);
    List<Integer> echoIntList(List<Integer> value);
    List<Long> echoLongList(List<Long> value);
    LinkedList<String> echoLinkedList(LinkedList<String> value);
    ArrayDeque<String> echoDeque(ArrayDeque<String> value);
    Set<String> echoSet(Set<String> value);
    Map<String, Integer> echoMap(Map<String, Integer> value);
    Map<Object, Object> echoObjectMap(Map<Object, Object> value);
    LinkedHashMap<String, String> echoLinkedHashMap(LinkedHashMap<String, String> value);
    TreeMap<String, String> echoTreeMap(TreeMap<String, String> value);
    Map<String, List<Address>> echoNested(Map<String, List<Address>> value);

    // values
    Person echoPerson(Person value);
    List<Person> echoPersons(List<Person> value);
    Wide echoWide(Wide value);
    Node echoNode(Node value);
    Object echoObject(Object value);

    /** A ring of that many nodes named "0", "1" ...; each one's peers are all nodes of the ring. */
    Node makeRing(int size);

    /** A person with every field set, so that a reader needs no writer. */
    Person makePerson();

    /** Whether the node met after {@code size} steps is the very same object: a cycle survived the way here. */
    boolean isRing(Node node, int size);

    /** "java.lang.Integer=42", "[I=[1, 2]", "null": the class and the text of what arrived. */
    String describe(Object value);

    /** As {@link #describe} for a list: what each element became. */
    List<String> describeAll(List<Object> values);

    /** The length in UTF-16 units, so that a surrogate pair counts 2. */
    int lengthOf(String value);
}
