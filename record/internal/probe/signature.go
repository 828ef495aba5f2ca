package probe

// StaticSignature returns the arguments of a static probe as its provider documents them, nil if
// they are not known. A note has only sizes and locations: it does not say what is a text.
func StaticSignature(provider, name string) []Argument {
	for _, text := range signatures() {
		p, err := Parse(text)
		if err == nil && p.USDT.Match(provider, name) {
			return p.Values.Args
		}
	}
	return nil
}

// signatures are the static probes with texts among their arguments, as declared by the providers:
// CPython's Include/pydtrace.d, PHP's Zend/zend_dtrace.d, Ruby's probes.d, PostgreSQL's
// src/backend/utils/probes.d, and HotSpot's hotspot.d. The oldest probes of PostgreSQL have a
// number where later ones have a text: operands decide (plan.describedArguments).
func signatures() []string {
	return []string{
		"usdt:python:/^(function__(entry|return)|line)$/(file:str[500], func:str, line:s32)",
		"usdt:python:/^import__find__load__(start|done)$/(module:str, found:s32)",
		"usdt:python:audit(event:str, args:ptr)",

		"usdt:php:/^function__(entry|return)$/(func:str, file:str[500], line:s32, class:str, scope:str)",
		"usdt:php:/^execute__(entry|return)$/(file:str[500], line:s32)",
		"usdt:php:/^request__(startup|shutdown)$/(file:str[500], uri:str[500], method:str)",
		"usdt:php:/^compile__file__(entry|return)$/(opened:str[500], file:str[500])",
		"usdt:php:/^exception__(thrown|caught)$/(class:str)",
		"usdt:php:error(message:str[500], file:str[500], line:s32)",

		"usdt:ruby:/^c?method__(entry|return)$/(class:str, method:str, file:str[500], line:s32)",
		"usdt:ruby:/^(raise|object__create)$/(class:str, file:str[500], line:s32)",
		"usdt:ruby:/^(array|hash|string)__create$/(length:s64, file:str[500], line:s32)",
		"usdt:ruby:symbol__create(symbol:str, file:str[500], line:s32)",
		"usdt:ruby:/^((find__)?require|load)__(entry|return)$/(name:str[500], file:str[500], line:s32)",
		"usdt:ruby:/^parse__(begin|end)$/(file:str[500], line:s32)",

		"usdt:postgresql:/^query__((parse|rewrite)__)?(start|done)$/(query:str[1000])",
		"usdt:postgresql:statement__status(status:str[1000])",
		"usdt:postgresql:/^lwlock__/(tranche:str, mode:s32)",

		"usdt:hotspot:/^method__(entry|return)$/(thread:s64, class:buf[class_len], class_len:s32, method:buf[method_len], method_len:s32, signature:buf[signature_len], signature_len:s32)",
		"usdt:hotspot:/^class__(loaded|unloaded)$/(class:buf[class_len], class_len:s32, loader:ptr, shared:bool)",
		"usdt:hotspot:/^thread__(start|stop)$/(name:buf[name_len], name_len:s32, thread:s64, native:s64, daemon:bool)",
	}
}
