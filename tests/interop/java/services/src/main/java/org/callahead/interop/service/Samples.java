package org.callahead.interop.service;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.callahead.interop.Address;
import org.callahead.interop.Color;
import org.callahead.interop.Node;
import org.callahead.interop.Person;

/** Values that are made here, so that a reader can be tested without a writer. */
public final class Samples {
    private Samples() {}

    static Node ring(int size) {
        List<Node> nodes = new ArrayList<>();
        for (int index = 0; index < size; index++) {
            nodes.add(new Node(String.valueOf(index)));
        }
        for (int index = 0; index < size; index++) {
            nodes.get(index).setNext(nodes.get((index + 1) % size));
            nodes.get(index).setPeers(nodes);
        }
        return nodes.get(0);
    }

    /** Anna, who shares one address object with her friend Bert. */
    public static Person person() {
        Address shared = new Address("Unter den Linden 1", 10117);
        Person bert = named("Bert", 41, Color.GREEN, shared);
        Person anna = named("Anna \uD83D\uDE00 \u4F60\u597D", 34, Color.BLUE, shared);
        Map<String, Address> addresses = new LinkedHashMap<>();
        addresses.put("home", shared);
        addresses.put("work", new Address("Alexanderplatz 2", 10178));
        anna.setMarried(true);
        anna.setFriends(new ArrayList<>(Arrays.asList(bert)));
        anna.setAddresses(addresses);
        return anna;
    }

    private static Person named(String name, int age, Color favourite, Address home) {
        Person person = new Person();
        person.setName(name);
        person.setAge(age);
        person.setFavourite(favourite);
        person.setHome(home);
        person.setBornAt(500_000_000_000L + age);
        return person;
    }
}
