import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.TreeMap;
import java.util.concurrent.Executors;

/** A web server with four threads. It prints its address. */
public class Web {
    static String words(String path) {
        TreeMap<String, Integer> counts = new TreeMap<>();
        for (int i = 0; i < 20; i++)
            counts.merge(path + i % 7, 1, Integer::sum);
        return counts.toString();
    }

    static void handle(HttpExchange exchange) throws IOException {
        byte[] body = words(exchange.getRequestURI().getPath()).getBytes();
        exchange.sendResponseHeaders(200, body.length);
        exchange.getResponseBody().write(body);
        exchange.close();
    }

    public static void main(String[] args) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", Web::handle);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.start();
        System.out.println("127.0.0.1:" + server.getAddress().getPort());
    }
}
