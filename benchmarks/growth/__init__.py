"""What an order costs as there are more of them, as they are longer, as they all want the same, and as a process lives
long; and how many a machine takes."""
