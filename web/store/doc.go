// Package store keeps model files that were pulled from elsewhere, by name.
//
// A store is a folder, by default realm/models in the data folder of the XDG base
// directories:
//
//	manifest.json              which model has which files, and where they come from
//	manifest.lock              held while that is read and changed
//	files/SHA256.gguf          the files, named by what is in them
//	downloads/KEY.part         a file that is not all there; KEY is a hash of its URL
//	downloads/KEY.json         which ranges of it are
//	downloads/KEY.lock         held by the one that pulls it
//
// No name that comes from a user, a server or the manifest becomes part of a path:
// paths are made of hashes alone. Files with the same content are there once,
// whichever models have them. A model is in the manifest when all of its files are
// there, their hashes are right and they are a GGUF model together.
package store
