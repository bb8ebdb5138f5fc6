// Package zerocopy proves that weir receives without copying, on a driver that can: it boots a
// Debian kernel under QEMU's software emulation, with weir as the only program beside it, sends
// frames to its virtio network cards, and holds what weir says it was granted and has counted
// against what was sent.
//
// The kernel comes from the machine's own Debian package source, with another suite, and is
// unpacked into the user's cache, never installed. A card on a dgram netdev takes frames from a
// unix socket, which neither loses any nor needs privileges; a card with two queues takes a tap,
// which needs root. The guest is the command in the folder guest; what it and this package say to
// each other is in console.go.
//
// Emulation shows what is granted, that every frame arrives once and unchanged, and that sockets
// can be closed, opened and bound in other modes. It says nothing about speed, nor about other
// drivers; nor whether weir wakes a driver that has run out of frames. virtio-net, as of Linux
// 6.18, never sets XDP_RING_NEED_WAKEUP on a fill ring, and tries again by itself: without the
// wake, where a ring runs dry and nobody sleeps on the socket, nothing is lost there.
package zerocopy
