// Package router runs routers of others in a namespace of a lab, and reads what they have learned.
package router
