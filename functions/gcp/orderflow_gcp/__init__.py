"""orderflow on Google Cloud: Pub/Sub, Firestore and Cloud Storage behind the ports of `orderflow.ports`."""
