"""What any protocol over TCP needs: an I/O thread, sockets that never block, blocking calls led by their callers."""
