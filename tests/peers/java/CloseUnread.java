// Asks for one URL with HttpURLConnection, and disconnects on a line on stdin with the body unread.
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URL;

public class CloseUnread {
    public static void main(String[] words) throws Exception {
        HttpURLConnection connection = (HttpURLConnection) new URL(words[0]).openConnection(Proxy.NO_PROXY);
        System.out.println(connection.getResponseCode());
        System.in.read();
        connection.disconnect();
        System.out.println("closed");
    }
}
