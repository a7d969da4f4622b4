output "database" {
  description = "Id and name of the database."
  value = {
    id   = google_firestore_database.this.id
    name = google_firestore_database.this.name
  }
}

output "stores" {
  description = "Ids of the collections, by collection."
  value = {
    for name in keys(var.collections) : name => "${google_firestore_database.this.id}/documents/${var.name}-${name}"
  }
}
