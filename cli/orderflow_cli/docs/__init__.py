"""``orderflow docs``: the pages and pictures that are made from the code, and the site that is built from all pages.

`pages` says which files are generated; one module makes each kind. `site` builds what is read in a browser; the pages
themselves stay readable where they are."""
