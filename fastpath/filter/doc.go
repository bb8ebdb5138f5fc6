// Package filter decides which records are not to be counted: by rules, in the format of
// FastNetMon's whitelist_rules, and by a script of the operator's.
//
// Rules are compiled once and then only read: any number of workers share them. A Script is
// compiled once, too; each worker has a State of its own. Both look at one decode.Record at a time
// and change nothing of it.
package filter
