package org.callahead.interop;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/** A value that can point at itself: through a field and through a list. */
public class Node implements Serializable {
    private static final long serialVersionUID = 1L;

    private String name;
    private Node next;
    private List<Node> peers = new ArrayList<>();

    public Node() {}

    public Node(String name) { this.name = name; }

    public String getName() { return name; }
    public void setName(String name) { this.name = name; }
    public Node getNext() { return next; }
    public void setNext(Node next) { this.next = next; }
    public List<Node> getPeers() { return peers; }
    public void setPeers(List<Node> peers) { this.peers = peers; }

    @Override
    public String toString() { return "Node(" + name + ")"; }
}
