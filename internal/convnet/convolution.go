package convnet

// The kernel makes two channels of width pixels at once: eight sums are what the registers hold.
// It goes step numbers at a time.
const (
	width = 4
	step  = 4
)

// convolution is a layer with its weights; see pack for their order.
type convolution struct {
	Layer
	weights, bias []float32
}

// run gathers what width pixels see into a panel, then goes over it once for every two channels.
func (c *convolution) run(in, add, out *plane, panel []float32) {
	pixels, depth := out.width*out.height, c.depth()
	panel = panel[:width*depth]
	clear(panel[width*(depth-step):]) // the padding; gather writes the rest
	for first := 0; first < pixels; first += width {
		n := min(width, pixels-first)
		var to [width]int
		for j := range width {
			p := min(first+j, pixels-1)
			y, x := p/out.width, p%out.width
			to[j] = (y+1)*out.stride() + x + 1
			c.gather(in, y*c.Stride, x*c.Stride, panel[j:])
		}
		for o := 0; o < c.Out; o += 2 {
			sums := dot(c.weights[o*depth:(o+2)*depth], panel)
			for k := range 2 {
				c.store(out, add, o+k, to[:n], sums[k*width:])
			}
		}
	}
}

// gather writes what one pixel sees to every width-th place of the panel.
func (c *convolution) gather(in *plane, y, x int, panel []float32) {
	size, stride := in.size(), in.stride()
	if c.Kernel == 1 {
		at := (y+1)*stride + x + 1
		for channel := range c.In {
			panel[width*channel] = in.values[channel*size+at]
		}
		return
	}
	at, k := y*stride+x, 0
	for range c.In {
		for row := range 3 {
			three := in.values[at+row*stride:][:3]
			nine := panel[k:][:2*width+1]
			nine[0], nine[width], nine[2*width] = three[0], three[1], three[2]
			k += 3 * width
		}
		at += size
	}
}

func (c *convolution) store(out, add *plane, channel int, to []int, sums []float32) {
	base, bias := channel*out.size(), c.bias[channel]
	for j, at := range to {
		v := sums[j] + bias
		if add != nil {
			v += add.values[base+at]
		}
		if c.ReLU {
			v = max(v, 0)
		}
		out.values[base+at] = v
	}
}

// dot multiplies two rows of weights, side by side, with width columns of the panel. It is written
// out because this loop is nearly all of the time.
func dot(w, x []float32) (sums [2 * width]float32) {
	var a0, a1, a2, a3, b0, b1, b2, b3 float32
	for len(w) >= 2*step && len(x) >= width*step {
		v := (*[2 * step]float32)(w)
		u := (*[width * step]float32)(x)
		a0 += v[0] * u[0]
		a1 += v[0] * u[1]
		a2 += v[0] * u[2]
		a3 += v[0] * u[3]
		b0 += v[1] * u[0]
		b1 += v[1] * u[1]
		b2 += v[1] * u[2]
		b3 += v[1] * u[3]

		a0 += v[2] * u[4]
		a1 += v[2] * u[5]
		a2 += v[2] * u[6]
		a3 += v[2] * u[7]
		b0 += v[3] * u[4]
		b1 += v[3] * u[5]
		b2 += v[3] * u[6]
		b3 += v[3] * u[7]

		a0 += v[4] * u[8]
		a1 += v[4] * u[9]
		a2 += v[4] * u[10]
		a3 += v[4] * u[11]
		b0 += v[5] * u[8]
		b1 += v[5] * u[9]
		b2 += v[5] * u[10]
		b3 += v[5] * u[11]

		a0 += v[6] * u[12]
		a1 += v[6] * u[13]
		a2 += v[6] * u[14]
		a3 += v[6] * u[15]
		b0 += v[7] * u[12]
		b1 += v[7] * u[13]
		b2 += v[7] * u[14]
		b3 += v[7] * u[15]
		w, x = w[2*step:], x[width*step:]
	}
	return [2 * width]float32{a0, a1, a2, a3, b0, b1, b2, b3}
}
