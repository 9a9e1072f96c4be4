package device

// view checks that v is inside its buffer and starts at a multiple of 4.
func (c *checker) view(field string, v View) {
	if v.Buffer < 0 || int(v.Buffer) >= len(c.program.Buffers) {
		c.fail(field+".Buffer", "%d is not in 0 to %d", v.Buffer, len(c.program.Buffers)-1)
		return
	}
	width := c.program.Buffers[v.Buffer].Width
	c.between(field+".Offset", v.Offset, 0, width-1)
	c.between(field+".Width", v.Width, 1, width-v.Offset)
	if v.Offset%4 != 0 {
		c.fail(field+".Offset", "%d is not a multiple of 4", v.Offset)
	}
}

// aligned checks a view whose width is a multiple of 4.
func (c *checker) aligned(field string, v View) {
	c.view(field, v)
	if v.Width%4 != 0 {
		c.fail(field+".Width", "%d is not a multiple of 4", v.Width)
	}
}

// ragged checks a view that may end inside the last four elements of a row.
func (c *checker) ragged(field string, v View) {
	c.view(field, v)
	if c.err == nil && v.Width%4 != 0 && v.Offset+v.Width <= c.program.Buffers[v.Buffer].Width-4 {
		c.fail(field+".Width", "%d is not a multiple of 4 and does not end its buffer", v.Width)
	}
}

func (c *checker) rows(field string, v View) {
	c.aligned(field, v)
	if c.err == nil && c.program.Buffers[v.Buffer].Outputs {
		c.fail(field, "is of outputs, not of rows")
	}
}

func (c *checker) outputs(field string, v View) {
	c.aligned(field, v)
	if c.err == nil && !c.program.Buffers[v.Buffer].Outputs {
		c.fail(field, "is of rows, not of outputs")
	}
}

// alike checks that v is of rows or of outputs as Out is.
func (c *checker) alike(field string, v, out View) {
	if c.err == nil && c.program.Buffers[v.Buffer].Outputs != c.program.Buffers[out.Buffer].Outputs {
		c.fail(field, "one of %s and Out is of rows, the other of outputs", field)
	}
}

// elementwise checks an operand of the same shape as Out.
func (c *checker) elementwise(field string, v, out View) {
	c.aligned(field, v)
	c.alike(field, v, out)
	c.equal(field+".Width", v.Width, out.Width, "Out.Width")
}

func (c *checker) apart(field string, v View, other string, w View) {
	if v.Buffer == w.Buffer && v.Offset < w.Offset+w.Width && w.Offset < v.Offset+v.Width {
		c.fail(field, "overlaps %s", other)
	}
}

func (c *checker) sameOrApart(field string, v View, other string, w View) {
	if v != w {
		c.apart(field, v, other, w)
	}
}

// weights checks that w is there, and is one matrix or vector.
func (c *checker) weights(field string, w Weights) {
	c.matrices(field, w, 1, "what the operation takes")
}

// matrices checks that w is there, and is that many matrices.
func (c *checker) matrices(field string, w Weights, want int, why string) {
	if w == nil {
		c.fail(field, "is nil")
		return
	}
	c.equal("the matrices of "+field, w.Experts(), want, why)
}

func (c *checker) columns(field string, w Weights, want int, why string) {
	if c.weights(field, w); c.err == nil {
		_, columns := w.Shape()
		c.equal("the columns of "+field, columns, want, why)
	}
}

func (c *checker) vector(field string, w Weights, want int, why string) {
	if c.columns(field, w, want, why); c.err == nil {
		rows, _ := w.Shape()
		c.equal("the rows of "+field, rows, 1, "the rows of a vector")
	}
}
