package probe

import "testing"

func TestNames(t *testing.T) {
	for _, c := range []struct {
		style                       NameStyle
		class, function, file, want string
	}{
		{PythonNames, "", "service_actions", "/usr/lib/python3.11/socketserver.py", "socketserver.py.service_actions"},
		{PythonNames, "", "<module>", "/usr/lib/python3.11/asyncio/__init__.py", "asyncio/__init__.py.<module>"},
		{PythonNames, "", "<module>", "__init__.py", "__init__.py.<module>"},
		{PythonNames, "", "_find_spec", "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>._find_spec"},
		{PythonNames, "", "f", "", "f"},
		{PHPNames, "Shape", "area", "/srv/shape.php", "Shape::area"},
		{PHPNames, "", "fib", "/srv/fib.php", "fib"},
		{PHPNames, "", "main", "/srv/index.php", "index.php:main"},
		{PHPNames, "", "", "/srv/x.php(11) : eval()'d code", "x.php(11) : eval()'d code"},
		{JavaNames, "java/util/HashMap", "put", "", "java.util.HashMap.put"},
		{JavaNames, "Calls$$Lambda$1+0x00007f2874000a08", "run", "", "Calls$$Lambda$1.run"},
		{RubyNames, "Shape", "area", "/srv/shape.rb", "Shape#area"},
		{RubyNames, "", "area", "/srv/shape.rb", "area"},
	} {
		if got := c.style.Join(c.class, c.function, c.file); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
