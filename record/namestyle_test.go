package record

import "testing"

func TestNames(t *testing.T) {
	for _, c := range []struct {
		style                       nameStyle
		class, function, file, want string
	}{
		{pythonNames, "", "service_actions", "/usr/lib/python3.11/socketserver.py", "socketserver.py.service_actions"},
		{pythonNames, "", "<module>", "/usr/lib/python3.11/asyncio/__init__.py", "asyncio/__init__.py.<module>"},
		{pythonNames, "", "<module>", "__init__.py", "__init__.py.<module>"},
		{pythonNames, "", "_find_spec", "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>._find_spec"},
		{pythonNames, "", "f", "", "f"},
		{phpNames, "Shape", "area", "/srv/shape.php", "Shape::area"},
		{phpNames, "", "fib", "/srv/fib.php", "fib"},
		{phpNames, "", "main", "/srv/index.php", "index.php:main"},
		{phpNames, "", "", "/srv/x.php(11) : eval()'d code", "x.php(11) : eval()'d code"},
		{javaNames, "java/util/HashMap", "put", "", "java.util.HashMap.put"},
		{javaNames, "Calls$$Lambda$1+0x00007f2874000a08", "run", "", "Calls$$Lambda$1.run"},
		{rubyNames, "Shape", "area", "/srv/shape.rb", "Shape#area"},
		{rubyNames, "", "area", "/srv/shape.rb", "area"},
	} {
		if got := c.style.join(c.class, c.function, c.file); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
