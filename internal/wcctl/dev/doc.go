// Package dev runs the whole system in one process on one machine.
package dev
