package jinja

// extreme is min and max, which take the case of letters for equal unless told otherwise. Of equals
// it is the first.
func (r *run) extreme(name string, value any, a Arguments) (any, error) {
	values, err := a.Bind("case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	items, err := r.elements(value)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return Undefined{"the " + name + " of no elements"}, nil
	}
	keys, err := r.sortKeys(items, values[1], Given(values[0]) && truth(values[0]))
	if err != nil {
		return nil, err
	}
	best := 0
	for i := range keys {
		c, err := r.order(keys[i], keys[best], 0)
		if err != nil {
			return nil, err
		}
		if name == "min" && c < 0 || name == "max" && c > 0 {
			best = i
		}
	}
	return items[best], nil
}

// sum is sum(attribute, start).
func (r *run) sum(value any, a Arguments) (any, error) {
	values, err := a.Bind("attribute", "start")
	if err != nil {
		return nil, err
	}
	items, err := r.elements(value)
	if err != nil {
		return nil, err
	}
	total := any(int64(0))
	if Given(values[1]) {
		total = values[1]
	}
	for _, item := range items {
		if err := r.step(); err != nil {
			return nil, err
		}
		if Given(values[0]) && values[0] != nil {
			if item, err = r.path(item, values[0], absent{}); err != nil {
				return nil, err
			}
		}
		if total, err = arithmetic("+", total, item); err != nil {
			return nil, err
		}
	}
	return total, nil
}
