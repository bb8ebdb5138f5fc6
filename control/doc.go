// Package control is the loop that makes decisions of counts: it flips the workers' tables,
// merges what they counted, judges every host of the last second, keeps the book of incidents,
// and tells its Events what happened.
//
// Concurrency: one goroutine calls everything on an Engine. Workers run on their own; the Engine
// touches only what they have handed over.
package control
