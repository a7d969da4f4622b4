"""Product media: of an image that is dropped, a thumbnail is made and an entry of the search index."""
