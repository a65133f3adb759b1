package bundle

// WriteIndex makes a folder of packages a flat apt repository.
var WriteIndex = writeIndex
