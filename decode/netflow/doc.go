// Package netflow decodes NetFlow v5, NetFlow v9 (RFC 3954) and IPFIX (RFC 7011) into
// decode.Records: as exported, before sampling, with the sampling rate beside them.
//
// A Cache holds what exporters tell once and mean for long: templates and sampling rates. It is
// shared by all Decoders, of which each worker owns one. A template is compiled when it is
// learned: every field that counts becomes a place in the record, read by one load and one mask,
// so that a record costs no dispatch per field. Templates with fields of variable length are
// walked, one step per field, to find the places.
//
// Malformed input costs no more than good: what cannot be read is counted by name in the
// decode.Datagram, and the rest is read where its bounds are known.
//
// A flow's two directions (RFC 5103, and the initiator and responder of Cisco ASA) become two
// records. A template that was neither used nor sent again for TemplateLifetime is forgotten.
package netflow
