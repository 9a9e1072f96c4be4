package jinja

// statement is a node that writes output or changes variables.
type statement interface {
	run(r *run, s *scope) error
}

// expression is a node that has a value.
type expression interface {
	eval(r *run, s *scope) (any, error)
}

// Statements.
type (
	data string // text outside tags

	output struct {
		line  int
		value expression
	}

	// branch is if, elif or else: a nil condition holds always.
	branch struct {
		condition expression
		body      []statement
	}

	conditional struct {
		line     int
		branches []branch
	}

	loop struct {
		line      int
		targets   []string
		items     expression
		condition expression // nil: all items
		body      []statement
		otherwise []statement // run when there are no items
	}

	assignment struct {
		line    int
		targets []target
		value   expression
	}

	// capture is {% set x %} ... {% endset %}, and with an empty target {% filter %}.
	capture struct {
		line    int
		target  target
		filters []filter // their values are nil
		body    []statement
	}

	macro struct {
		line       int
		name       string
		parameters []parameter
		body       []statement
	}

	// group is a tag that only holds others together.
	group []statement

	jump struct{ signal error } // break or continue
)

// target is what a value is assigned to: a variable, or an attribute of a namespace.
type target struct{ name, attribute string }

// parameter is a macro's. A nil value makes it undefined where it is not given.
type parameter struct {
	name  string
	value expression
}

// Expressions.
type (
	literal struct{ value any }

	name string

	list []expression

	tuple []expression

	dict []struct{ key, value expression }

	// attribute is object.name.
	attribute struct {
		object expression
		name   string
	}

	// item is object[key].
	item struct{ object, key expression }

	// slice is object[start:stop:step], each of them nil where it is left out.
	slice struct{ object, start, stop, step expression }

	call struct {
		callee    expression
		arguments arguments
	}

	// filter is value|name(arguments).
	filter struct {
		value     expression
		name      string
		arguments arguments
	}

	// test is value is name(arguments).
	test struct {
		value     expression
		name      string
		arguments arguments
	}

	unary struct {
		operator string
		operand  expression
	}

	binary struct {
		operator    string
		left, right expression
	}

	// comparison is first op operand op operand ..., each neighbouring pair compared.
	comparison struct {
		first expression
		rest  []struct {
			operator string
			operand  expression
		}
	}

	// concatenation is part ~ part ~ ...
	concatenation []expression

	// choice is yes if condition else no. A nil no is undefined.
	choice struct{ condition, yes, no expression }
)

// arguments are those of a call before they are evaluated.
type arguments struct {
	positional []expression
	named      []struct {
		name  string
		value expression
	}
}
