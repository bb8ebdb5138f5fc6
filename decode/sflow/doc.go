// Package sflow reads sFlow datagrams: version 5 (sflow.org/sflow_version_5.txt, with the
// structures published since) and versions 2 and 4 (RFC 3176).
//
// A flow sample becomes one decode.Record: the sampled header goes through a decode.Decoder, as a
// frame of a mirror would. A sample or record that is damaged or unknown is skipped by its length
// and never costs the rest of a datagram. Versions 2 and 4 give no lengths: there, what follows
// something unknown is lost.
//
// With Counted, a record's sampling rate is the effective one: what the sampled interface says
// that it saw, divided by the samples that arrived. It makes up for samples that were dropped.
//
// Concurrency: a Decoder belongs to one worker. It allocates nothing once it is made.
package sflow
