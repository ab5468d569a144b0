package org.callahead.interop;

import java.util.List;
import java.util.Map;

/** A nested value: a superclass, another value, lists and maps of values, an enum. */
public class Person extends Being {
    private static final long serialVersionUID = 1L;

    private String name;
    private int age;
    private Boolean married;
    private Color favourite;
    private Address home;
    private List<Person> friends;
    private Map<String, Address> addresses;

    public String getName() { return name; }
    public void setName(String name) { this.name = name; }
    public int getAge() { return age; }
    public void setAge(int age) { this.age = age; }
    public Boolean getMarried() { return married; }
    public void setMarried(Boolean married) { this.married = married; }
    public Color getFavourite() { return favourite; }
    public void setFavourite(Color favourite) { this.favourite = favourite; }
    public Address getHome() { return home; }
    public void setHome(Address home) { this.home = home; }
    public List<Person> getFriends() { return friends; }
    public void setFriends(List<Person> friends) { this.friends = friends; }
    public Map<String, Address> getAddresses() { return addresses; }
    public void setAddresses(Map<String, Address> addresses) { this.addresses = addresses; }

    @Override
    public String toString() { return "Person(" + name + ", " + age + ")"; }
}
