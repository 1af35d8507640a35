"""The ground: records, ids, manifests, recipes and errors, as every other package and program knows them."""
