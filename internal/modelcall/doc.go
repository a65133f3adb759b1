// Package modelcall guards paid calls to an AI model.
package modelcall
