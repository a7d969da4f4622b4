output "database" {
  description = "Id and name of the database."
  value = {
    id   = "projects/${var.project}/databases/${google_firestore_database.this.name}"
    name = google_firestore_database.this.name
  }
}

output "stores" {
  description = "Ids of the collections, by collection."
  value = {
    for name in keys(var.collections) : name => "projects/${var.project}/databases/${google_firestore_database.this.name}/documents/${var.name}-${name}"
  }
}
