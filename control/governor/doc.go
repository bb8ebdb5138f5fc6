// Package governor stands between every decision and what changes traffic. It is pure: rules,
// state and time are all there is. Only it makes an Approved value, and adapters that change
// traffic take nothing else.
//
// Its rules come from outages that automated routing has caused: what is announced is a host
// route inside our own networks, is nobody whom the network needs, is one of a bounded number,
// came at a bounded rate, takes a bounded share of a network, and ends by itself.
package governor
